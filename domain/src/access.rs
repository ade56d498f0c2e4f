//! What a person may do, and which surveys' cases they reach.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::SurveyId;

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sets the server up and manages users, and does what an agent does.
    Owner,
    /// Works on cases.
    Agent,
    /// Reads everything and changes nothing.
    Auditor,
}

impl Role {
    /// The role's name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Agent => "agent",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Owner, Self::Agent, Self::Auditor]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// Which surveys' cases a person reaches. Only an agent can be kept from some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Those of all surveys, of later ones too.
    #[default]
    All,
    /// Those of these surveys alone; of none where the set is empty.
    Only(BTreeSet<SurveyId>),
}

impl Access {
    /// What somebody of that role reaches to whom this access was given: owners and auditors reach everything.
    #[must_use]
    pub fn of(self, role: Role) -> Self {
        match role {
            Role::Agent => self,
            Role::Owner | Role::Auditor => Self::All,
        }
    }

    /// Whether they reach the cases of that survey.
    pub fn reaches(&self, survey_id: SurveyId) -> bool {
        match self {
            Self::All => true,
            Self::Only(surveys) => surveys.contains(&survey_id),
        }
    }

    /// Whether they reach the cases of every survey.
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// The surveys that they are kept to, ordered; `None` where they reach all. As events and the API write it.
    pub fn surveys(&self) -> Option<Vec<SurveyId>> {
        match self {
            Self::All => None,
            Self::Only(surveys) => Some(surveys.iter().copied().collect()),
        }
    }

    /// Of the surveys that a list is asked for (`None` for all), those that they reach; `None` again where that is all.
    pub fn narrow(&self, asked: Option<Vec<SurveyId>>) -> Option<Vec<SurveyId>> {
        match (self, asked) {
            (Self::All, asked) => asked,
            (Self::Only(_), None) => self.surveys(),
            (Self::Only(surveys), Some(mut asked)) => {
                asked.retain(|survey_id| surveys.contains(survey_id));
                Some(asked)
            }
        }
    }
}

impl From<Option<Vec<SurveyId>>> for Access {
    fn from(surveys: Option<Vec<SurveyId>>) -> Self {
        surveys.map_or(Self::All, |surveys| {
            Self::Only(surveys.into_iter().collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: SurveyId = SurveyId(Uuid::from_u128(1));
    const TWO: SurveyId = SurveyId(Uuid::from_u128(2));

    fn only(surveys: &[SurveyId]) -> Access {
        Access::from(Some(surveys.to_vec()))
    }

    #[test]
    fn only_agents_are_kept_from_cases() {
        for role in [Role::Owner, Role::Auditor] {
            assert_eq!(only(&[ONE]).of(role), Access::All);
        }
        assert_eq!(only(&[ONE]).of(Role::Agent), only(&[ONE]));
        assert_eq!(Access::All.of(Role::Agent), Access::All);
    }

    #[test]
    fn whoever_is_kept_to_some_surveys_reaches_those_and_no_other() {
        assert!(Access::default().reaches(ONE));
        assert!(only(&[ONE]).reaches(ONE));
        assert!(!only(&[ONE]).reaches(TWO));
        assert!(!only(&[]).reaches(ONE));
    }

    #[test]
    fn a_list_is_never_wider_than_what_is_reached() {
        assert_eq!(Access::All.narrow(None), None);
        assert_eq!(Access::All.narrow(Some(vec![TWO])), Some(vec![TWO]));
        assert_eq!(only(&[TWO, ONE]).narrow(None), Some(vec![ONE, TWO]));
        assert_eq!(only(&[ONE]).narrow(Some(vec![TWO, ONE])), Some(vec![ONE]));
        assert_eq!(only(&[ONE]).narrow(Some(vec![TWO])), Some(vec![]));
        assert_eq!(only(&[]).narrow(None), Some(vec![]));
    }
}
