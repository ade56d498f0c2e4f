//! The labels of a case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CaseError, CaseEvent, State};
use crate::ids::LabelId;

/// The most labels that a case has at once.
pub const MAX_CASE_LABELS: usize = 20;

/// A label on a case, as an event tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseLabel {
    /// Its id.
    pub label_id: LabelId,
    /// Its name at that time.
    pub name: String,
}

impl CaseLabel {
    /// The names of those labels that are not among the others.
    pub fn names_beside<'a>(
        labels: &'a [Self],
        others: &'a [Self],
    ) -> impl Iterator<Item = &'a str> {
        labels
            .iter()
            .filter(|label| others.iter().all(|other| other.label_id != label.label_id))
            .map(|label| label.name.as_str())
    }
}

impl State {
    /// `names` has the labels that the case has now and that were not deleted, with their names of today. A label that was deleted
    /// is on no view any more, so losing it is no change of its own.
    pub(super) fn set_labels(
        &self,
        to: Vec<CaseLabel>,
        names: &BTreeMap<LabelId, String>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        let mut wanted: Vec<CaseLabel> = vec![];
        for label in to {
            if wanted.iter().all(|known| known.label_id != label.label_id) {
                wanted.push(label);
            }
        }
        if wanted.len() > MAX_CASE_LABELS {
            return Err(CaseError::TooManyLabels);
        }
        let from: Vec<CaseLabel> = self
            .labels
            .iter()
            .filter_map(|label_id| {
                Some(CaseLabel {
                    label_id: *label_id,
                    name: names.get(label_id)?.clone(),
                })
            })
            .collect();
        let has = |labels: &[CaseLabel], sought: &CaseLabel| {
            labels.iter().any(|label| label.label_id == sought.label_id)
        };
        let is_same = wanted.len() == from.len() && wanted.iter().all(|label| has(&from, label));
        if is_same {
            return Ok(vec![]);
        }
        Ok(vec![CaseEvent::LabelsChanged { from, to: wanted }])
    }

    pub(super) fn labels_were_set(&mut self, labels: &[CaseLabel]) {
        self.labels = labels.iter().map(|label| label.label_id).collect();
        self.labels.sort_unstable();
    }
}
