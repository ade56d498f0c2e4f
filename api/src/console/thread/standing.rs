//! Why messages stand where they do, and in which other cases they stand.

use std::collections::HashMap;

use docket_domain::content::Content;
use docket_domain::ids::{MessageId, Reference};
use docket_domain::routing::{Routed, Rule};
use docket_domain::text::phone::Country;
use docket_domain::text::references;
use docket_projections::read::cases::desk::Other;
use docket_projections::read::messages;
use docket_projections::read::thread::{Inbound, ThreadItem, What};

use super::super::pages::{OnlyIn, Piece};
use super::super::{Failed, words};
use super::Shown;
use crate::app::App;

/// What is read beside a thread to show its messages.
#[derive(Default)]
pub(in super::super) struct Beside {
    /// The country whose national numbers are linked.
    pub(super) country: Option<Country>,
    /// Whether nothing can be sent, since Docket does not know who it is at Vonage.
    pub(super) is_unconnected: bool,
    /// Where messages stand that stand in several cases; `None` where that was not asked.
    standing: Option<HashMap<MessageId, Vec<Reference>>>,
    /// The contact's other open cases.
    open: Vec<Reference>,
}

impl Beside {
    /// Asks where messages stand only if there are some that ever stood in several cases.
    pub(in super::super) async fn read(
        app: &App,
        others: &[Other],
        items: &[ThreadItem],
    ) -> Result<Self, Failed> {
        let in_several = items.iter().filter_map(|item| match &item.what {
            What::Inbound(message)
                if message.routed.references.len() > 1 || message.routed.rule == Rule::Moved =>
            {
                Some(message.message_id)
            }
            _ => None,
        });
        let in_several: Vec<MessageId> = in_several.collect();
        let standing = if in_several.is_empty() {
            HashMap::new()
        } else {
            messages::in_several(&app.pool, &in_several).await?
        };
        let open = others
            .iter()
            .filter(|other| other.is_open && !other.is_record);
        Ok(Self {
            country: app.default_country,
            is_unconnected: app.vonage.client.load().is_none(),
            standing: Some(standing),
            open: open.map(|other| other.reference).collect(),
        })
    }
}

impl Shown<'_> {
    /// The other cases in which a message stands too; all that it went to, where that was not asked.
    fn elsewhere(&self, message: &Inbound) -> Vec<Reference> {
        let all = match &self.beside.standing {
            Some(standing) => standing.get(&message.message_id).cloned(),
            None => Some(message.routed.references.clone()),
        };
        let mut all = all.unwrap_or_default();
        all.retain(|reference| *reference != self.case.reference);
        all
    }

    /// Why a message stands here, and whether that has to be seen without being asked for.
    pub(super) fn why(&self, message: &Inbound) -> (Vec<Piece>, bool) {
        let routed = &message.routed;
        let here = self.case.reference.get();
        let elsewhere = self.elsewhere(message);
        let mut why = words::why(routed, here);
        if !elsewhere.is_empty() {
            let also = words::also_in(&elsewhere);
            why = match routed.rule {
                Rule::AllOpen => also,
                _ => format!("{why} · {also}"),
            };
        }
        let mut pieces = self.linked(&why);
        if routed.foreign_reference {
            // A number that is not theirs is no link: it could be somebody else's.
            let foreign = foreign(&message.content, routed);
            let text = words::foreign(foreign.map(Reference::get));
            pieces.push(Piece {
                text: if pieces.is_empty() {
                    text
                } else {
                    format!(" · {text}")
                },
                href: None,
            });
        }
        let is_asked_for = matches!(routed.rule, Rule::Follows | Rule::Moved | Rule::Newest);
        let matters = is_asked_for || routed.foreign_reference || !elsewhere.is_empty();
        (pieces, matters)
    }

    /// How a message that stands in other open cases too is taken out of this one.
    pub(super) fn only_in(&self, message: &Inbound) -> Option<OnlyIn> {
        self.beside.standing.as_ref()?;
        let mut open = self.elsewhere(message);
        open.retain(|reference| self.beside.open.contains(reference));
        let to = *open.first()?;
        Some(OnlyIn {
            action: self.place.link(&format!(
                "/cases/{}/messages/{}/move",
                self.case.reference, message.message_id
            )),
            to: to.get(),
            label: if open.len() == 1 {
                words::only_in(to.get())
            } else {
                words::NOT_HERE.to_owned()
            },
        })
    }
}

/// The one number in a text that is no case of theirs, where it is only one.
fn foreign(content: &Content, routed: &Routed) -> Option<Reference> {
    let mentions = references::mentions(content.said()?);
    let mut unknown = mentions
        .candidates()
        .filter(|reference| !routed.references.contains(reference));
    unknown.next().filter(|_| unknown.next().is_none())
}
