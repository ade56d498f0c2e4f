//! What the write path reads, for tests that hold it beside the log.

use docket_domain::case::Case;
use docket_domain::contact::ContactState;
use docket_domain::ids::{ContactId, MessageId, Reference, SurveyId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fill;
use crate::ledger::cache::ContactCache;
use crate::ledger::operation::{ContactKey, MessageKey, Needs};
use crate::ledger::scope::Loaded;

const CACHE_BYTES: u64 = 1 << 20;

/// The case as the write path reads it when it has nothing in its cache: brief, with these messages recalled.
///
/// # Panics
///
/// When the database refuses, or there is no such case.
pub async fn brief_case(
    conn: &mut PgConnection,
    reference: Reference,
    recalled: Vec<MessageId>,
) -> Case {
    let needs = Needs {
        cases: vec![reference],
        recalled,
        ..Needs::default()
    };
    let loaded = read(conn, needs, &ContactCache::new(CACHE_BYTES)).await;
    loaded.case(reference).expect("a case").clone()
}

/// The cache of a process that decides nothing itself: all that it knows of contacts, other processes wrote.
pub struct CachedContacts(ContactCache);

impl CachedContacts {
    /// An empty cache.
    #[expect(clippy::new_without_default, reason = "a cache is made on purpose")]
    pub fn new() -> Self {
        Self(ContactCache::new(CACHE_BYTES))
    }

    /// Brings a contact up to date as a decision about it does, and as one about a message of it does.
    ///
    /// # Errors
    ///
    /// How the contact differs from one that is read without a cache.
    ///
    /// # Panics
    ///
    /// When the database refuses.
    pub async fn compare(
        &self,
        conn: &mut PgConnection,
        (survey_id, number): (SurveyId, &str),
        message_id: Option<MessageId>,
    ) -> Result<(), String> {
        let by_number = || Needs {
            contact: Some(ContactKey {
                survey_id,
                number: number.to_owned(),
                new_id: ContactId(Uuid::nil()),
            }),
            ..Needs::default()
        };
        let by_message = |message_id| Needs {
            message: Some(MessageKey::Id(message_id)),
            ..Needs::default()
        };
        if let Some(message_id) = message_id {
            self.compare_one(conn, || by_message(message_id)).await?;
        }
        self.compare_one(conn, by_number).await
    }

    async fn compare_one(
        &self,
        conn: &mut PgConnection,
        needs: impl Fn() -> Needs,
    ) -> Result<(), String> {
        let empty = ContactCache::new(CACHE_BYTES);
        let read = told(read(conn, needs(), &empty).await.contacts().next());
        let cached = read_and_keep(conn, needs(), &self.0).await;
        if cached == read {
            Ok(())
        } else {
            Err(format!("{cached} is cached, {read} is so"))
        }
    }
}

async fn read(conn: &mut PgConnection, needs: Needs, cache: &ContactCache) -> Loaded {
    let mut loaded = Loaded::at(chrono::DateTime::UNIX_EPOCH);
    let upcasters = crate::log::upcasters::upcasters();
    fill(conn, &[needs], cache, &upcasters, true, &mut loaded)
        .await
        .expect("the database answers");
    loaded
}

async fn read_and_keep(conn: &mut PgConnection, needs: Needs, cache: &ContactCache) -> String {
    let loaded = read(conn, needs, cache).await;
    let contact = loaded.into_contacts().next();
    let said = told(contact.as_ref());
    if let Some(mut contact) = contact.filter(|contact| contact.version > 0) {
        contact.forget();
        cache.put(contact);
    }
    said
}

/// All that decisions read of a contact, but for messages that they ask for by name.
fn told(contact: Option<&ContactState>) -> String {
    let Some(contact) = contact else {
        return "nothing".into();
    };
    // A decision about a message reads closed cases too.
    let cases: Vec<_> = contact
        .open_cases()
        .into_iter()
        .map(|reference| (reference, contact.case(reference).and_then(Case::summary)))
        .collect();
    format!(
        "version {}, last line {:?}, {} automatic replies, {cases:?}",
        contact.version,
        contact.last_line(),
        contact.automatic_replies(chrono::DateTime::UNIX_EPOCH),
    )
}
