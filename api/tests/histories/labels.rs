//! What people do with labels and snoozes.

use chrono::TimeDelta;
use docket::ambient;
use docket::operations::Administrator;
use docket::operations::case::{Change, LabelChange};
use docket::operations::label::ChangeLabel;
use docket::operations::snooze::WakeWhenDue;
use docket_domain::ids::LabelId;
use docket_domain::label::{Label, LabelColour, LabelCommand};
use docket_projections::log::recorded::to_database_precision;
use proptest::prelude::*;
use uuid::Uuid;

use crate::History;

/// What somebody does, or the passing of time.
#[derive(Clone, Debug)]
pub(crate) enum LabelStep {
    Create { n: u8 },
    Change { n: u8, name: u8 },
    Delete { n: u8 },
    Set { case: usize, labels: Vec<u8> },
    Add { case: usize, label: u8 },
    Remove { case: usize, label: u8 },
    Snooze { case: usize, hours: u8 },
    Wake { case: usize },
    Due { case: usize, hours: u8 },
}

pub(crate) fn step() -> impl Strategy<Value = LabelStep> {
    let case = 0usize..12;
    let n = 0u8..4;
    prop_oneof![
        3 => n.clone().prop_map(|n| LabelStep::Create { n }),
        1 => (n.clone(), n.clone()).prop_map(|(n, name)| LabelStep::Change { n, name }),
        1 => n.clone().prop_map(|n| LabelStep::Delete { n }),
        3 => (case.clone(), proptest::collection::vec(n.clone(), 0..3))
            .prop_map(|(case, labels)| LabelStep::Set { case, labels }),
        2 => (case.clone(), n.clone()).prop_map(|(case, label)| LabelStep::Add { case, label }),
        1 => (case.clone(), n).prop_map(|(case, label)| LabelStep::Remove { case, label }),
        5 => (case.clone(), 0u8..2).prop_map(|(case, hours)| LabelStep::Snooze { case, hours }),
        1 => case.clone().prop_map(|case| LabelStep::Wake { case }),
        2 => (case, 0u8..2).prop_map(|(case, hours)| LabelStep::Due { case, hours }),
    ]
}

fn name(n: u8) -> String {
    format!("Label {n}")
}

/// Few times, so that a snooze often ends at the one that comes.
fn time(hours: u8) -> chrono::DateTime<chrono::Utc> {
    let day = ambient::now().date_naive() + chrono::Days::new(2);
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
    to_database_precision(midnight + TimeDelta::hours(hours.into()))
}

impl History {
    pub(crate) async fn labels(&mut self, step: LabelStep) {
        match step {
            LabelStep::Create { n } => {
                let label_id = LabelId(self.id());
                self.label_ids.push(label_id);
                let label = Label {
                    label_id,
                    name: name(n),
                    colour: LabelColour::Blue,
                };
                self.change_label(label_id, LabelCommand::Create(label))
                    .await;
            }
            LabelStep::Change { n, name: other } => {
                let label_id = self.label(n);
                let command = LabelCommand::Change {
                    label_id,
                    name: Some(name(other)),
                    colour: Some(LabelColour::ALL[usize::from(other)]),
                };
                self.change_label(label_id, command).await;
            }
            LabelStep::Delete { n } => {
                let label_id = self.label(n);
                self.change_label(label_id, LabelCommand::Delete { label_id })
                    .await;
            }
            LabelStep::Set { case, labels } => {
                let names = labels.into_iter().map(name).collect();
                self.change(case, Change::Labels(LabelChange::All(names)))
                    .await;
            }
            LabelStep::Add { case, label } => {
                let add = LabelChange::Add(name(label));
                self.change(case, Change::Labels(add)).await;
            }
            LabelStep::Remove { case, label } => {
                let remove = LabelChange::Remove(name(label));
                self.change(case, Change::Labels(remove)).await;
            }
            LabelStep::Snooze { case, hours } => {
                self.change(case, Change::Snooze(time(hours))).await;
            }
            LabelStep::Wake { case } => self.change(case, Change::Wake).await,
            LabelStep::Due { case, hours } => {
                if let Some(reference) = self.case(case) {
                    let until = time(hours);
                    self.does(WakeWhenDue { reference, until }).await;
                }
            }
        }
    }

    fn label(&self, n: u8) -> LabelId {
        let known = self.label_ids.len().max(1);
        let label = self.label_ids.get(usize::from(n) % known).copied();
        label.unwrap_or(LabelId(Uuid::nil()))
    }

    async fn change_label(&self, label_id: LabelId, command: LabelCommand) {
        self.does(ChangeLabel {
            label_id,
            command,
            by: Administrator::System,
        })
        .await;
    }
}
