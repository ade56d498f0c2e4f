//! What the account remembers: what was sent, what each phone shows, and which faults are still to come.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::channel::{Channel, normalise_number};
use jsonwebtoken::DecodingKey;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::files::Files;
use super::templates::SimulatedTemplate;
use super::{AcceptedMessage, Fault, SimulatedCustomer, SimulatedLine, SimulatorOptions};
use crate::vonage::{Clock, NewId};

/// How far back a message is dated that is to find WhatsApp's 24 hours over.
const DATED_BACK: TimeDelta = TimeDelta::hours(25);

/// The account behind the server.
pub(super) struct Account {
    pub(super) address: SocketAddr,
    pub(super) options: Fixed,
    pub(super) verifier: DecodingKey,
    pub(super) http: reqwest::Client,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    state: Mutex<State>,
    /// The version of the last change to an entry; the phones wait on it.
    changes: watch::Sender<u64>,
    /// How many webhooks are on their way or wait to be repeated.
    under_way: watch::Sender<usize>,
}

/// The options that do not change while the account is open.
pub(super) struct Fixed {
    pub(super) signature_secret: SecretString,
    pub(super) application_id: String,
    pub(super) status_delay: std::time::Duration,
    pub(super) retry_base: std::time::Duration,
    pub(super) max_tries: u32,
    pub(super) customers: Vec<SimulatedCustomer>,
    pub(super) clock: Clock,
    pub(super) new_id: NewId,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) docket_url: Option<String>,
    pub(super) lines: Vec<SimulatedLine>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) accepted: Vec<AcceptedMessage>,
    pub(super) files: Files,
    pub(super) templates: Vec<SimulatedTemplate>,
    /// Where WhatsApp's 24 hours are over.
    closed: HashSet<Parties>,
    entries: Vec<(Parties, Entry)>,
    index: HashMap<String, usize>,
    version: u64,
}

/// Who talks to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Parties {
    pub(super) customer: String,
    pub(super) line: String,
    pub(super) channel: Channel,
}

impl Parties {
    pub(super) fn new(customer: &str, line: &str, channel: Channel) -> Self {
        Self {
            customer: normalise_number(customer),
            line: normalise_number(line),
            channel,
        }
    }
}

/// One message as the customer's phone shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its `message_uuid`.
    pub id: String,
    /// Whether the customer sent it.
    pub is_mine: bool,
    /// What it is.
    #[serde(flatten)]
    pub kind: EntryKind,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// How far it has come.
    pub state: EntryState,
    /// The message that it quotes, in short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<String>,
    /// Grows with every change to any entry.
    pub version: u64,
}

/// A message and the conversation it stands in.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PlacedEntry {
    #[serde(flatten)]
    parties: Parties,
    #[serde(flatten)]
    entry: Entry,
}

/// What a message on the phone is. As JSON: `{"kind": "text", "text": "Hello"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EntryKind {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// The sample photo.
    Photo {
        /// What is written beneath it; may be empty.
        #[serde(default)]
        text: String,
    },
    /// A file, with what is written beneath it.
    File {
        /// `image`, `audio`, `video` or `file`.
        media: String,
        /// Where the account serves it: a path.
        url: String,
        /// Its name.
        name: String,
        /// What is written beneath it; may be empty.
        text: String,
    },
    /// A sample place.
    Location,
    /// The sample photo as a sticker.
    Sticker,
    /// The card of an invented person.
    Contacts,
    /// A choice from a list, or a button of a message.
    Reply {
        /// What was chosen.
        text: String,
    },
    /// The button of a template.
    Button {
        /// What stands on it.
        text: String,
    },
    /// An order of one invented product.
    Order,
    /// Something of which Vonage says only that it does not support it.
    Unsupported,
    /// A reaction to the message that is quoted; it stands beside that message.
    Reaction {
        /// The emoji; empty where the reaction is taken off.
        text: String,
    },
    /// A WhatsApp template of Docket's, as it arrives.
    Template {
        /// Its name.
        name: String,
        /// What it says.
        text: String,
    },
}

impl EntryKind {
    /// A line that reminds of it.
    pub(super) fn in_short(&self) -> String {
        const MAX_CHARS: usize = 80;

        match self {
            Self::Text { text }
            | Self::Reply { text }
            | Self::Button { text }
            | Self::Template { text, .. } => {
                let mut short: String = text.chars().take(MAX_CHARS).collect();
                if short.len() < text.len() {
                    short.push('…');
                }
                short
            }
            Self::Photo { .. } => "Photo".to_owned(),
            Self::File { name, .. } => name.clone(),
            Self::Location => "Location".to_owned(),
            Self::Sticker => "Sticker".to_owned(),
            Self::Contacts => "Contact".to_owned(),
            Self::Order => "Order".to_owned(),
            Self::Unsupported => "Something that Vonage does not support".to_owned(),
            Self::Reaction { text } if text.is_empty() => "Reaction taken off".to_owned(),
            Self::Reaction { text } => text.clone(),
        }
    }
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Docket has not taken it yet; it is tried again.
    Sending,
    /// Docket has taken it, or it came from there.
    Delivered,
    /// Docket has refused it for good.
    Failed,
}

impl Account {
    pub(super) fn new(
        options: SimulatorOptions,
        address: SocketAddr,
        verifier: DecodingKey,
        http: reqwest::Client,
    ) -> Self {
        Self {
            address,
            options: Fixed {
                signature_secret: options.signature_secret,
                application_id: options.application_id,
                status_delay: options.status_delay,
                retry_base: options.retry_base,
                max_tries: options.max_tries,
                customers: options.customers,
                clock: options.clock,
                new_id: options.new_id,
            },
            verifier,
            http,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            state: Mutex::new(State {
                docket_url: options.docket_url,
                lines: options.lines,
                ..State::default()
            }),
            changes: watch::Sender::new(0),
            under_way: watch::Sender::new(0),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.options.clock)()
    }

    /// When a customer writes who writes now: some time ago where `WhatsApp`'s 24 hours are to be over.
    pub(super) fn time_of_writing(&self, parties: &Parties) -> DateTime<Utc> {
        let now = self.now();
        if self.is_window_open(parties) {
            now
        } else {
            now - DATED_BACK
        }
    }

    pub(super) fn is_window_open(&self, parties: &Parties) -> bool {
        !self.state().closed.contains(parties)
    }

    pub(super) fn set_window(&self, parties: Parties, open: bool) {
        let mut state = self.state();
        if open {
            state.closed.remove(&parties);
        } else {
            state.closed.insert(parties);
        }
    }

    pub(super) fn new_id(&self) -> String {
        (self.options.new_id)().to_string()
    }

    /// Keeps a message that Docket has sent, and shows it on the customer's phone as what arrives there.
    pub(super) fn accept(&self, message: AcceptedMessage, kind: Option<EntryKind>) {
        let parties = Parties::new(&message.to, &message.from, message.channel);
        let mut state = self.state();
        if let Some(kind) = kind {
            let entry = Entry {
                id: message.message_uuid.clone(),
                is_mine: false,
                kind,
                at: message.at,
                state: EntryState::Delivered,
                quoted: message.quoted.clone(),
                version: 0,
            };
            state.show(parties, entry);
        }
        state.accepted.push(message);
        self.changes.send_replace(state.version);
    }

    /// Shows what a customer sends on their phone; `quoted` is a `message_uuid`.
    pub(super) fn show_mine(
        &self,
        parties: Parties,
        id: String,
        kind: EntryKind,
        at: DateTime<Utc>,
        quoted: Option<String>,
    ) {
        let entry = Entry {
            id,
            is_mine: true,
            kind,
            at,
            state: EntryState::Sending,
            quoted,
            version: 0,
        };
        let mut state = self.state();
        state.show(parties, entry);
        self.changes.send_replace(state.version);
    }

    pub(super) fn set_entry_state(&self, id: &str, entry_state: EntryState) {
        let mut state = self.state();
        let Some(position) = state.index.get(id).copied() else {
            return;
        };
        state.version += 1;
        let version = state.version;
        let entry = &mut state.entries[position].1;
        entry.state = entry_state;
        entry.version = version;
        self.changes.send_replace(version);
    }

    /// What changed in a conversation after `version`, oldest message first.
    pub(super) fn entries_after(&self, parties: &Parties, version: u64) -> Vec<Entry> {
        let state = self.state();
        let entries = state.entries.iter();
        entries
            .filter(|(of, entry)| of == parties && entry.version > version)
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    /// What changed after `version` in the conversations that `is_wanted` chooses, and the version it stands at now.
    pub(super) fn all_entries_after(
        &self,
        version: u64,
        is_wanted: impl Fn(&Parties) -> bool,
    ) -> (u64, Vec<PlacedEntry>) {
        let state = self.state();
        let entries = state
            .entries
            .iter()
            .filter(|(parties, entry)| entry.version > version && is_wanted(parties));
        let placed = entries.map(|(parties, entry)| PlacedEntry {
            parties: parties.clone(),
            entry: entry.clone(),
        });
        (state.version, placed.collect())
    }

    /// The entry of that id, if the conversation has it.
    pub(super) fn find_entry(&self, parties: &Parties, id: &str) -> Option<Entry> {
        let state = self.state();
        let (of, entry) = &state.entries[*state.index.get(id)?];
        (of == parties).then(|| entry.clone())
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Counts a webhook as under way for as long as the guard lives.
    pub(super) fn under_way(self: &Arc<Self>) -> UnderWay {
        self.under_way.send_modify(|count| *count += 1);
        UnderWay(Arc::clone(self))
    }

    pub(super) async fn settled(&self) {
        // The sender lives as long as the account, so this cannot fail.
        let _ = self
            .under_way
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
    }
}

impl State {
    fn show(&mut self, parties: Parties, mut entry: Entry) {
        self.version += 1;
        entry.version = self.version;
        entry.quoted = entry
            .quoted
            .and_then(|id| self.index.get(&id))
            .map(|position| self.entries[*position].1.kind.in_short());
        self.index.insert(entry.id.clone(), self.entries.len());
        self.entries.push((parties, entry));
    }
}

/// A webhook that is on its way.
pub(super) struct UnderWay(Arc<Account>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count -= 1);
    }
}
