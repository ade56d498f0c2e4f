//! The cache of contacts, bounded by the memory that they take.

use docket_domain::contact::ContactState;
use docket_domain::ids::{ContactId, Reference, SurveyId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// About so many bytes a contact takes in memory, and each of its open cases.
const CONTACT_BYTES: usize = 512;
const CASE_BYTES: usize = 1_536;
/// So many contacts are known by their number, and so many cases by their contact, whether they are in the cache or not.
const KNOWN: usize = 100_000;

/// Contacts as they were after their last commit, or before: the call that appends compares their versions.
pub(super) struct ContactCache {
    contacts: Cache<ContactId, ContactState, ByMemory>,
    /// A number is one contact's for ever.
    by_number: Cache<(SurveyId, String), ContactId>,
    /// A case is one contact's for ever.
    owners: Cache<Reference, ContactId>,
}

impl ContactCache {
    pub(super) fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / 2_048).unwrap_or(1_024);
        Self {
            contacts: Cache::with_weighter(expected, bytes, ByMemory),
            by_number: Cache::new(KNOWN),
            owners: Cache::new(KNOWN),
        }
    }

    pub(super) fn take(&self, id: ContactId) -> Option<ContactState> {
        self.contacts.remove(&id).map(|(_, contact)| contact)
    }

    pub(super) fn take_by_number(&self, survey_id: SurveyId, number: &str) -> Option<ContactState> {
        let id = self.by_number.get(&(survey_id, number.to_owned()))?;
        self.take(id)
    }

    /// Whose case it is, where that is known.
    pub(super) fn owner(&self, reference: Reference) -> Option<ContactId> {
        self.owners.get(&reference)
    }

    /// Keeps a contact, unless a newer state of it was kept meanwhile.
    pub(super) fn put(&self, contact: ContactState) {
        let id = contact.contact_id;
        let number = (contact.survey_id, contact.number.clone());
        if self.by_number.get(&number) != Some(id) {
            self.by_number.insert(number, id);
        }
        for reference in contact.references() {
            if self.owners.get(&reference) != Some(id) {
                self.owners.insert(reference, id);
            }
        }
        let is_older = self
            .contacts
            .peek(&id)
            .is_some_and(|kept| kept.version > contact.version);
        if !is_older {
            self.contacts.insert(id, contact);
        }
    }
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<ContactId, ContactState> for ByMemory {
    fn weight(&self, _: &ContactId, contact: &ContactState) -> u64 {
        let cases = contact.references().count();
        let kept = contact.kept_bytes();
        (CONTACT_BYTES + cases * CASE_BYTES + kept) as u64
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn contact(number: u128, version: u64) -> ContactState {
        let id = ContactId(Uuid::from_u128(number));
        let mut contact =
            ContactState::new(id, SurveyId(Uuid::nil()), format!("4477009{number:05}"));
        contact.version = version;
        contact
    }

    #[test]
    fn a_contact_is_found_by_number_and_is_there_once() {
        let cache = ContactCache::new(1 << 20);
        cache.put(contact(1, 3));
        let taken = cache.take_by_number(SurveyId(Uuid::nil()), "447700900001");
        assert_eq!(taken, Some(contact(1, 3)));
        assert_eq!(cache.take(ContactId(Uuid::from_u128(1))), None);
    }

    #[test]
    fn an_older_state_replaces_no_newer_one() {
        let cache = ContactCache::new(1 << 20);
        cache.put(contact(1, 4));
        cache.put(contact(1, 3));
        assert_eq!(
            cache.take(ContactId(Uuid::from_u128(1))),
            Some(contact(1, 4))
        );
    }

    #[test]
    fn no_more_contacts_are_kept_than_fit() {
        let cache = ContactCache::new(64 * CONTACT_BYTES as u64);
        for number in 0..1_000 {
            cache.put(contact(number, 1));
        }
        let kept =
            (0..1_000).filter(|number| cache.take(ContactId(Uuid::from_u128(*number))).is_some());
        let kept = kept.count();
        assert!((1..=64).contains(&kept), "{kept}");
    }
}
