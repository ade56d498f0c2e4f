//! The files that messages carry: fetched as soon as they arrive, kept by what they hold, shown to those who reach the case, and sent.
//!
//! [`worker`] fetches what waits, by [`fetch`] and only from [`hosts`] that are allowed, into the [`store`]. What becomes of a file
//! is an event on the message's cases. [`link`] makes the addresses at which Vonage fetches what we send.

pub mod fetch;
pub mod hosts;
pub mod link;
pub mod picture;
pub mod sent;
pub mod shown;
pub mod store;
pub mod words;
pub mod worker;

use std::path::Path;
use std::sync::Arc;

use self::fetch::Fetcher;
use self::link::LinkKey;
use self::store::MediaStore;
use crate::config::media::MediaSettings;

/// One MB, as the settings count it.
pub const MB: u64 = 1_000_000;

/// What all parts of the service share of media; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Media(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: MediaStore,
    fetcher: Fetcher,
    max_mb: u64,
    link_key: LinkKey,
    has_public_url: bool,
    mms_numbers: Vec<String>,
}

impl Default for Media {
    /// A store in memory, and no hosts but Vonage's.
    fn default() -> Self {
        Self::new(
            MediaStore::default(),
            Fetcher::default(),
            100,
            LinkKey::default(),
            false,
        )
    }
}

impl Media {
    /// Media kept in `store`, each at most `max_mb` MB.
    pub fn new(
        store: MediaStore,
        fetcher: Fetcher,
        max_mb: u64,
        link_key: LinkKey,
        has_public_url: bool,
    ) -> Self {
        Self(Arc::new(Parts {
            store,
            fetcher,
            max_mb,
            link_key,
            has_public_url,
            mms_numbers: vec![],
        }))
    }

    /// The same, where these numbers of ours can send pictures by MMS.
    #[must_use]
    pub fn with_mms(self, mms_numbers: Vec<String>) -> Self {
        let Parts {
            store,
            fetcher,
            max_mb,
            link_key,
            has_public_url,
            ..
        } = &*self.0;
        Self(Arc::new(Parts {
            store: store.clone(),
            fetcher: fetcher.clone(),
            max_mb: *max_mb,
            link_key: link_key.clone(),
            has_public_url: *has_public_url,
            mms_numbers,
        }))
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub fn open(
        settings: &MediaSettings,
        data_dir: &Path,
        link_key: LinkKey,
        has_public_url: bool,
    ) -> anyhow::Result<Self> {
        let store = MediaStore::open(settings, data_dir)?;
        let fetcher = Fetcher::new(settings.hosts.clone())?;
        Ok(
            Self::new(store, fetcher, settings.max_mb, link_key, has_public_url)
                .with_mms(settings.mms_numbers.clone()),
        )
    }

    /// Our numbers that can send pictures by MMS.
    pub fn mms_numbers(&self) -> &[String] {
        &self.0.mms_numbers
    }

    /// Where files are kept.
    pub fn store(&self) -> &MediaStore {
        &self.0.store
    }

    /// What fetches them.
    pub fn fetcher(&self) -> &Fetcher {
        &self.0.fetcher
    }

    /// The largest file, in MB.
    pub fn max_mb(&self) -> u64 {
        self.0.max_mb
    }

    /// The largest file, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.0.max_mb * MB
    }

    /// What signs the addresses at which Vonage fetches what we send.
    pub fn link_key(&self) -> &LinkKey {
        &self.0.link_key
    }

    /// Whether it is known where Vonage reaches us.
    pub fn has_public_url(&self) -> bool {
        self.0.has_public_url
    }
}
