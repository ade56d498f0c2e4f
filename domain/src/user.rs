//! The people who sign in, service accounts, and the API tokens of both.
//!
//! The log keeps who was given which role and token and when; passwords and tokens themselves never stand in an event.

pub mod name;
pub mod preferences;

use std::collections::BTreeMap;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use self::name::normalise_name;
use self::preferences::{Preferences, PreferencesChange};
use crate::access::Access;
pub use crate::access::Role;
use crate::ids::{SurveyId, TokenId, UserId};
use crate::personal::Personal;
use crate::text::{normalise, time_zone};

/// Who a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    /// Somebody who signs in, with an address.
    Person,
    /// A program. It has a name and tokens, and no password, so that nobody signs in as it.
    Service,
}

impl UserKind {
    /// The kind of the user who is known by that address or name: a name holds no `@`.
    pub fn of(email_or_name: &str) -> Self {
        if email_or_name.contains('@') {
            Self::Person
        } else {
            Self::Service
        }
    }

    /// The kind's name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
        }
    }
}

/// A user as the events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    version: u64,
    /// The version that their role and reach were last set at.
    #[serde(default)]
    rights_version: u64,
    state: Option<UserState>,
}

/// A user who was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserState {
    /// The address they sign in with, in lower case; a service account's name.
    pub email: Personal<String>,
    /// What colleagues call them; `None` where nobody has said.
    #[serde(default)]
    pub name: Option<Personal<String>>,
    /// How they want the console to be.
    #[serde(default)]
    pub preferences: Preferences,
    /// A person or a program.
    pub kind: UserKind,
    /// What they may do.
    pub role: Role,
    /// Which surveys' cases they reach as an agent.
    pub access: Access,
    /// Whether they were removed.
    pub removed: bool,
    /// Their live tokens and what each is for.
    pub tokens: BTreeMap<TokenId, String>,
}

/// A command to a [`User`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserCommand {
    /// Add the user.
    Add {
        /// Their id.
        user_id: UserId,
        /// Their address.
        email: Personal<String>,
        /// What colleagues call them, where that is said.
        name: Option<Personal<String>>,
        /// What they may do.
        role: Role,
        /// Which surveys' cases they reach as an agent.
        access: Access,
    },
    /// Add the user as a service account.
    AddService {
        /// Its id.
        user_id: UserId,
        /// Its name, which stands where a person's address stands.
        name: Personal<String>,
        /// What it may do.
        role: Role,
        /// Which surveys' cases it reaches as an agent.
        access: Access,
    },
    /// Let them do something else; what is `None` stays.
    ChangeRights {
        /// What they may do from now on.
        role: Option<Role>,
        /// Which surveys' cases they reach as an agent from now on.
        access: Option<Access>,
        /// What they are called from now on; `Some(None)` takes their name away.
        name: Option<Option<Personal<String>>>,
        /// The version that whoever asks has seen, where they say it.
        seen: Option<u64>,
    },
    /// Call them something else; `None` or an empty name takes their name away.
    SetName(Option<Personal<String>>),
    /// Note how they want the console to be.
    ChangePreferences(PreferencesChange),
    /// Both of these at once; a name that is `None` stays.
    ChangeAccount {
        /// What they are called from now on; `Some(None)` takes their name away.
        name: Option<Option<Personal<String>>>,
        /// How they want the console to be.
        preferences: PreferencesChange,
    },
    /// Note that they have another password.
    ChangePassword,
    /// Remove them; their tokens end with them.
    Remove,
    /// Give them a token.
    CreateToken {
        /// Its id.
        token_id: TokenId,
        /// What it is for.
        name: String,
    },
    /// End a token.
    RevokeToken {
        /// Its id.
        token_id: TokenId,
    },
}

/// An event of a [`User`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserEvent {
    /// The user was added.
    UserAdded {
        /// Their id.
        user_id: UserId,
        /// Their address, in lower case.
        email: Personal<String>,
        /// What they may do.
        role: Role,
    },
    /// The user was added as a service account: a program, which has tokens and no password.
    ServiceAccountAdded {
        /// Its id.
        user_id: UserId,
        /// Its name, which stands where a person's address stands.
        name: Personal<String>,
        /// What it may do.
        role: Role,
    },
    /// They may do something else.
    RoleChanged {
        /// What they could do before.
        from: Role,
        /// What they can do now.
        to: Role,
    },
    /// As an agent they reach the cases of other surveys than before. Before the first such event they reach those of all.
    SurveyAccessChanged {
        /// The surveys, ordered; null for all, of later ones too.
        surveys: Option<Vec<SurveyId>>,
    },
    /// They are called something else from now on.
    UserNamed {
        /// Their name; null where they are known by their address again.
        name: Option<Personal<String>>,
    },
    /// They want the console to be otherwise.
    PreferencesChanged {
        /// All that they want, with what stays as it was.
        preferences: Preferences,
    },
    /// They have another password.
    PasswordChanged {},
    /// They were removed, and their tokens with them.
    UserRemoved {},
    /// They got a token.
    TokenCreated {
        /// Its id.
        token_id: TokenId,
        /// What it is for.
        name: String,
    },
    /// A token ended.
    TokenRevoked {
        /// Its id.
        token_id: TokenId,
    },
}

/// Why a user refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// There is no such user.
    #[error("there is no such user")]
    NotAdded,
    /// The user exists.
    #[error("the user exists already")]
    AlreadyAdded,
    /// The address is none.
    #[error("email must be an address such as agent@example.com")]
    Email,
    /// Somebody else has the address.
    #[error("there is a user with that address already")]
    EmailTaken,
    /// The person's name is none.
    #[error("name must have 1 to 100 characters on one line and no @, or be null")]
    Name,
    /// A service account is known by its name.
    #[error("a service account keeps the name that it was added with")]
    ServiceNameStays,
    /// The time zone is none.
    #[error("time_zone must be the name of an IANA time zone, such as Europe/Berlin, or null")]
    TimeZone,
    /// The service account's name is none.
    #[error("the name of a service account must have 1 to 100 characters on one line and no @")]
    ServiceName,
    /// Somebody else has the name.
    #[error("there is a service account with that name already")]
    ServiceNameTaken,
    /// A service account does not sign in.
    #[error("a service account has no password; make a token for it")]
    ServicePassword,
    /// Somebody asks for a token that would speak in another person's name.
    #[error(
        "a token speaks in the name of its user, so nobody makes one for another person; make it for yourself or for a service account"
    )]
    TokenForAnother,
    /// The token's name is empty or too long.
    #[error("name must have 1 to 100 characters on one line")]
    TokenName,
    /// There is no such token.
    #[error("there is no such token")]
    NoSuchToken,
    /// Nobody would be left who can manage users.
    #[error("this is the last owner; make somebody else an owner first")]
    LastOwner,
    /// One of the surveys is not there.
    #[error("surveys names a survey that does not exist")]
    NoSuchSurvey,
    /// Somebody has changed their rights since.
    #[error("what they may do was changed since you looked; look again and decide anew")]
    ChangedSince {
        /// The version that they have now.
        version: u64,
    },
}

/// The one spelling of an address: in the normal form of what people type and in lower case; `None` where it is no address.
pub fn normalise_email(email: &str) -> Option<String> {
    // Lower case takes letters apart at times: the capital I with a dot becomes an i and a dot.
    let email = normalise::typed(&normalise::typed(email).to_lowercase()).into_owned();
    // No emoji ends an address, so that nothing invisible belongs to its last letter.
    let email = email.trim_end_matches(normalise::is_trimmed);
    let (local, host) = email.rsplit_once('@')?;
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !normalise::is_invisible(c);
    let good = !local.is_empty()
        && !host.is_empty()
        && email.chars().all(is_plain)
        && email.chars().count() <= 254
        && !local.contains('@');
    good.then(|| email.to_owned())
}

/// The one spelling of a service account's name: trimmed; `None` where it is no name.
pub fn normalise_service_name(name: &str) -> Option<String> {
    let name = name.trim();
    let good = (1..=100).contains(&name.chars().count())
        && !name.contains('@')
        && !name.chars().any(char::is_control);
    good.then(|| name.to_owned())
}

impl User {
    /// How many events the user has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Who the user is; `None` before they were added.
    pub const fn state(&self) -> Option<&UserState> {
        self.state.as_ref()
    }

    /// Decides a command.
    ///
    /// # Errors
    ///
    /// A [`UserError`] that says why nothing can be recorded.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        let Some(state) = &self.state else {
            return add(command);
        };
        if state.removed {
            return if command == UserCommand::Remove {
                Ok(vec![])
            } else {
                Err(UserError::NotAdded)
            };
        }
        match command {
            UserCommand::Add { .. } | UserCommand::AddService { .. } => {
                Err(UserError::AlreadyAdded)
            }
            UserCommand::ChangeRights {
                role,
                access,
                name,
                seen,
            } => {
                let from = state.role;
                let role = role.filter(|role| *role != from);
                let access = access.filter(|access| *access != state.access);
                let changes = role.is_some() || access.is_some();
                if changes && seen.is_some_and(|seen| seen < self.rights_version) {
                    let version = self.version;
                    return Err(UserError::ChangedSince { version });
                }
                let role = role.map(|to| UserEvent::RoleChanged { from, to });
                let access = access.map(|access| UserEvent::SurveyAccessChanged {
                    surveys: access.surveys(),
                });
                let named = match name {
                    Some(name) => state.call(name)?,
                    None => None,
                };
                Ok(role.into_iter().chain(access).chain(named).collect())
            }
            UserCommand::SetName(name) => Ok(state.call(name)?.into_iter().collect()),
            UserCommand::ChangePreferences(change) => state.prefer(change),
            UserCommand::ChangeAccount { name, preferences } => {
                let named = match name {
                    Some(name) => state.call(name)?,
                    None => None,
                };
                let preferred = state.prefer(preferences)?;
                Ok(named.into_iter().chain(preferred).collect())
            }
            UserCommand::ChangePassword if state.kind == UserKind::Service => {
                Err(UserError::ServicePassword)
            }
            UserCommand::ChangePassword => Ok(vec![UserEvent::PasswordChanged {}]),
            UserCommand::Remove => Ok(vec![UserEvent::UserRemoved {}]),
            UserCommand::CreateToken { token_id, name } => {
                let name = normalise::typed(&name).into_owned();
                if name.is_empty()
                    || name.chars().count() > 100
                    || name.chars().any(char::is_control)
                {
                    return Err(UserError::TokenName);
                }
                Ok(vec![UserEvent::TokenCreated { token_id, name }])
            }
            UserCommand::RevokeToken { token_id } if state.tokens.contains_key(&token_id) => {
                Ok(vec![UserEvent::TokenRevoked { token_id }])
            }
            UserCommand::RevokeToken { .. } => Err(UserError::NoSuchToken),
        }
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &UserEvent) {
        self.version += 1;
        if matches!(
            event,
            UserEvent::UserAdded { .. }
                | UserEvent::RoleChanged { .. }
                | UserEvent::SurveyAccessChanged { .. }
        ) {
            self.rights_version = self.version;
        }
        match (event, &mut self.state) {
            (UserEvent::UserAdded { email, role, .. }, state) => {
                *state = Some(UserState::new(email, UserKind::Person, *role));
            }
            (UserEvent::ServiceAccountAdded { name, role, .. }, state) => {
                *state = Some(UserState::new(name, UserKind::Service, *role));
            }
            (UserEvent::RoleChanged { to, .. }, Some(state)) => state.role = *to,
            (UserEvent::SurveyAccessChanged { surveys }, Some(state)) => {
                state.access = surveys.clone().into();
            }
            (UserEvent::UserNamed { name }, Some(state)) => state.name.clone_from(name),
            (UserEvent::PreferencesChanged { preferences }, Some(state)) => {
                state.preferences.clone_from(preferences);
            }
            (UserEvent::UserRemoved {}, Some(state)) => {
                state.removed = true;
                state.tokens.clear();
            }
            (UserEvent::TokenCreated { token_id, name }, Some(state)) => {
                state.tokens.insert(*token_id, name.clone());
            }
            (UserEvent::TokenRevoked { token_id }, Some(state)) => {
                state.tokens.remove(token_id);
            }
            (UserEvent::PasswordChanged {}, Some(_)) | (_, None) => {}
        }
    }
}

/// Decides the first command to a user.
fn add(command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
    match command {
        UserCommand::Add {
            user_id,
            email,
            name,
            role,
            access,
        } => {
            let email = normalise_email(&email).ok_or(UserError::Email)?.into();
            let added = UserEvent::UserAdded {
                user_id,
                email,
                role,
            };
            let named = read_name(name)?.map(|name| UserEvent::UserNamed { name: Some(name) });
            Ok(with_access(added, &access)
                .into_iter()
                .chain(named)
                .collect())
        }
        UserCommand::AddService {
            user_id,
            name,
            role,
            access,
        } => {
            let name = normalise_service_name(&name).ok_or(UserError::ServiceName)?;
            let added = UserEvent::ServiceAccountAdded {
                user_id,
                name: name.into(),
                role,
            };
            Ok(with_access(added, &access))
        }
        _ => Err(UserError::NotAdded),
    }
}

/// What adds a user, and what keeps them to some surveys where that is asked for.
fn with_access(added: UserEvent, access: &Access) -> Vec<UserEvent> {
    let surveys = access.surveys();
    let kept = surveys.is_some();
    let kept = kept.then_some(UserEvent::SurveyAccessChanged { surveys });
    std::iter::once(added).chain(kept).collect()
}

impl UserState {
    fn new(email_or_name: &Personal<String>, kind: UserKind, role: Role) -> Self {
        Self {
            email: email_or_name.clone(),
            name: None,
            preferences: Preferences::default(),
            kind,
            role,
            access: Access::All,
            removed: false,
            tokens: BTreeMap::new(),
        }
    }

    fn call(&self, name: Option<Personal<String>>) -> Result<Option<UserEvent>, UserError> {
        if self.kind == UserKind::Service {
            return Err(UserError::ServiceNameStays);
        }
        let name = read_name(name)?;
        Ok((name != self.name).then_some(UserEvent::UserNamed { name }))
    }

    fn prefer(&self, change: PreferencesChange) -> Result<Vec<UserEvent>, UserError> {
        let mut preferences = self.preferences.with(change);
        if let Some(zone) = &mut preferences.time_zone
            && self.preferences.time_zone.as_ref() != Some(zone)
        {
            let known = time_zone::find(zone).ok_or(UserError::TimeZone)?;
            known.name().clone_into(zone);
        }
        if preferences == self.preferences {
            return Ok(vec![]);
        }
        Ok(vec![UserEvent::PreferencesChanged { preferences }])
    }
}

/// A name in its one spelling; `None` where there is none.
fn read_name(name: Option<Personal<String>>) -> Result<Option<Personal<String>>, UserError> {
    match name {
        Some(name) if !normalise::is_empty(&name) => {
            let name = normalise_name(&name).ok_or(UserError::Name)?;
            Ok(Some(name.into()))
        }
        _ => Ok(None),
    }
}

impl UserEvent {
    /// Every event type.
    pub const TYPES: [&'static str; 10] = [
        "UserAdded",
        "ServiceAccountAdded",
        "RoleChanged",
        "SurveyAccessChanged",
        "UserNamed",
        "PreferencesChanged",
        "PasswordChanged",
        "UserRemoved",
        "TokenCreated",
        "TokenRevoked",
    ];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::UserAdded { .. } => "UserAdded",
            Self::ServiceAccountAdded { .. } => "ServiceAccountAdded",
            Self::RoleChanged { .. } => "RoleChanged",
            Self::SurveyAccessChanged { .. } => "SurveyAccessChanged",
            Self::UserNamed { .. } => "UserNamed",
            Self::PreferencesChanged { .. } => "PreferencesChanged",
            Self::PasswordChanged {} => "PasswordChanged",
            Self::UserRemoved {} => "UserRemoved",
            Self::TokenCreated { .. } => "TokenCreated",
            Self::TokenRevoked { .. } => "TokenRevoked",
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        "1"
    }
}

impl DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

impl Aggregate for User {
    const TYPE: &'static str = "User";
    type Command = UserCommand;
    type Event = UserEvent;
    type Error = UserError;
    type Services = ();

    async fn handle(
        &mut self,
        command: UserCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), UserError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: UserEvent) {
        self.evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    fn added() -> UserEvent {
        UserEvent::UserAdded {
            user_id: UserId(Uuid::nil()),
            email: "agent@example.com".into(),
            role: Role::Agent,
        }
    }

    fn given(events: Vec<UserEvent>) -> cqrs_es::test::AggregateTestExecutor<User> {
        TestFramework::<User>::with(()).given(events)
    }

    #[test]
    fn an_address_has_one_spelling() {
        let add = UserCommand::Add {
            user_id: UserId(Uuid::nil()),
            email: " Agent@Example.com ".into(),
            name: None,
            role: Role::Agent,
            access: Access::All,
        };
        given(vec![]).when(add).then_expect_events(vec![added()]);
        for wrong in [
            "",
            "agent",
            "@example.com",
            "a b@example.com",
            "a@b@example.com",
            "agent@",
        ] {
            assert_eq!(normalise_email(wrong), None, "{wrong}");
        }
        let pasted = " zo\u{eb}@example.\u{e9}\u{fe0e}\u{2066}\u{e0072}\n\u{e0041}";
        let bare = "zo\u{eb}@example.\u{e9}";
        assert_eq!(normalise_email(pasted).as_deref(), Some(bare));
    }

    #[test]
    fn a_service_account_has_a_name_and_no_password() {
        let service = |name: &str| UserCommand::AddService {
            user_id: UserId(Uuid::nil()),
            name: name.into(),
            role: Role::Agent,
            access: Access::All,
        };
        let added = UserEvent::ServiceAccountAdded {
            user_id: UserId(Uuid::nil()),
            name: "Night import".into(),
            role: Role::Agent,
        };
        given(vec![])
            .when(service(" Night import "))
            .then_expect_events(vec![added.clone()]);
        given(vec![added])
            .when(UserCommand::ChangePassword)
            .then_expect_error(UserError::ServicePassword);
        for wrong in ["", "  ", "a\nb", "agent@example.com", &"x".repeat(101)] {
            given(vec![])
                .when(service(wrong))
                .then_expect_error(UserError::ServiceName);
        }
    }

    #[test]
    fn tokens_end_once_and_with_their_user() {
        let token_id = TokenId(Uuid::nil());
        let created = UserEvent::TokenCreated {
            token_id,
            name: "ci".into(),
        };
        let revoke = UserCommand::RevokeToken { token_id };
        given(vec![added(), created.clone()])
            .when(revoke.clone())
            .then_expect_events(vec![UserEvent::TokenRevoked { token_id }]);
        given(vec![added()])
            .when(revoke.clone())
            .then_expect_error(UserError::NoSuchToken);
        given(vec![added(), created, UserEvent::UserRemoved {}])
            .when(revoke)
            .then_expect_error(UserError::NotAdded);
    }

    const SURVEY: SurveyId = SurveyId(Uuid::from_u128(1));

    fn access_changed(surveys: Option<Vec<SurveyId>>) -> UserEvent {
        UserEvent::SurveyAccessChanged { surveys }
    }

    #[test]
    fn somebody_is_added_with_the_access_that_they_are_to_have() {
        let add = UserCommand::Add {
            user_id: UserId(Uuid::nil()),
            email: "agent@example.com".into(),
            name: None,
            role: Role::Agent,
            access: Access::from(Some(vec![SURVEY])),
        };
        given(vec![])
            .when(add)
            .then_expect_events(vec![added(), access_changed(Some(vec![SURVEY]))]);
    }

    #[test]
    fn the_same_rights_again_are_no_event() {
        let change = |role, access| UserCommand::ChangeRights {
            role,
            access,
            name: None,
            seen: None,
        };
        given(vec![added()])
            .when(change(Some(Role::Agent), Some(Access::All)))
            .then_expect_events(vec![]);
        given(vec![added()])
            .when(change(None, None))
            .then_expect_events(vec![]);
        given(vec![added(), access_changed(Some(vec![SURVEY]))])
            .when(change(None, Some(Access::from(Some(vec![SURVEY])))))
            .then_expect_events(vec![]);
    }

    #[test]
    fn role_and_access_change_together() {
        let change = UserCommand::ChangeRights {
            seen: None,
            role: Some(Role::Owner),
            access: Some(Access::All),
            name: None,
        };
        let made_owner = UserEvent::RoleChanged {
            from: Role::Agent,
            to: Role::Owner,
        };
        given(vec![added(), access_changed(Some(vec![SURVEY]))])
            .when(change.clone())
            .then_expect_events(vec![made_owner, access_changed(None)]);
        given(vec![added(), UserEvent::UserRemoved {}])
            .when(change)
            .then_expect_error(UserError::NotAdded);
    }
    #[test]
    fn a_person_is_named_once_and_a_service_account_keeps_its_name() {
        let set = |name: Option<&str>| UserCommand::SetName(name.map(Personal::from));
        let named = |name: Option<&str>| UserEvent::UserNamed {
            name: name.map(Personal::from),
        };
        given(vec![added()])
            .when(set(Some(" Ada Lovelace ")))
            .then_expect_events(vec![named(Some("Ada Lovelace"))]);
        given(vec![added(), named(Some("Ada Lovelace"))])
            .when(set(Some("Ada Lovelace")))
            .then_expect_events(vec![]);
        for none in [None, Some(""), Some(" \u{200b}")] {
            given(vec![added(), named(Some("Ada"))])
                .when(set(none))
                .then_expect_events(vec![named(None)]);
        }
        for wrong in ["a\nb", &"x".repeat(101)] {
            given(vec![added()])
                .when(set(Some(wrong)))
                .then_expect_error(UserError::Name);
        }
        let service = UserEvent::ServiceAccountAdded {
            user_id: UserId(Uuid::nil()),
            name: "Night import".into(),
            role: Role::Agent,
        };
        given(vec![service])
            .when(set(Some("Ada")))
            .then_expect_error(UserError::ServiceNameStays);
    }

    #[test]
    fn preferences_change_one_by_one() {
        let change = PreferencesChange {
            time_zone: Some(Some("europe/berlin".to_owned())),
            ..PreferencesChange::default()
        };
        let preferred = Preferences {
            time_zone: Some("Europe/Berlin".to_owned()),
            next_case: true,
            ..Preferences::default()
        };
        let before = UserEvent::PreferencesChanged {
            preferences: Preferences {
                next_case: true,
                ..Preferences::default()
            },
        };
        let changed = UserEvent::PreferencesChanged {
            preferences: preferred,
        };
        given(vec![added(), before])
            .when(UserCommand::ChangePreferences(change.clone()))
            .then_expect_events(vec![changed.clone()]);
        given(vec![added(), changed])
            .when(UserCommand::ChangePreferences(change))
            .then_expect_events(vec![]);
        given(vec![added()])
            .when(UserCommand::ChangePreferences(PreferencesChange {
                time_zone: Some(Some("Mars/Olympus".to_owned())),
                ..PreferencesChange::default()
            }))
            .then_expect_error(UserError::TimeZone);
    }
}
