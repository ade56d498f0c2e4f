//! Where files are kept: by what they hold, so that a file which came twice is kept once, and writing it again changes nothing.
//!
//! A file is written under a name of its own while its bytes come, is hashed meanwhile, and gets its place when it is whole. What a
//! process that died left half written is removed after a day.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::digest;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use docket_domain::media::{StoredFile, UNKNOWN_TYPE};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, WriteMultipart};
use reqwest::Url;
use uuid::Uuid;

use super::picture;
use crate::config::media::{MediaPlace, MediaSettings};

/// So much of a file is handed to the store at once; S3 takes no parts below 5 MiB.
const PART_BYTES: usize = 6 << 20;
/// So many parts are under way at once.
const PARTS_AT_ONCE: usize = 2;
/// So many of the first bytes tell the type.
const HEAD_BYTES: usize = 8 << 10;
/// So many of the first bytes hold the size of nearly every picture.
const PICTURE_HEAD_BYTES: u64 = 1 << 20;
/// Where files are while their bytes come.
const INCOMING: &str = "incoming";

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError<E> {
    /// It is larger than is kept.
    #[error("the file is too large")]
    TooLarge,
    /// Its bytes stopped coming.
    #[error("the file broke off")]
    Source(E),
    /// The store took it not.
    #[error(transparent)]
    Store(#[from] object_store::Error),
}

/// The store of files; cloning it is cheap.
#[derive(Clone)]
pub struct MediaStore(Arc<dyn ObjectStore>);

impl fmt::Debug for MediaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaStore")
    }
}

impl Default for MediaStore {
    /// In memory, for tests and for commands that keep nothing.
    fn default() -> Self {
        Self(Arc::new(InMemory::new()))
    }
}

impl MediaStore {
    /// Opens the store that the settings name.
    ///
    /// # Errors
    ///
    /// A sentence that names the setting.
    pub fn open(settings: &MediaSettings, data_dir: &Path) -> anyhow::Result<Self> {
        match &settings.place {
            MediaPlace::DataFolder => Self::in_folder(&data_dir.join("media")),
            MediaPlace::Url(url) if url.scheme() == "file" => {
                let folder = url
                    .to_file_path()
                    .map_err(|()| anyhow::anyhow!("DOCKET_MEDIA_URL names no folder"))?;
                Self::in_folder(&folder)
            }
            MediaPlace::Url(url) => Self::in_bucket(url),
        }
    }

    fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let sentence = || {
            format!(
                "the folder of media, {}, cannot be used; make it writable for Docket, or set DOCKET_MEDIA_URL",
                folder.display()
            )
        };
        create_private(folder).with_context(sentence)?;
        let store = LocalFileSystem::new_with_prefix(folder).with_context(sentence)?;
        // A file whose keeping is recorded must outlast the machine.
        Ok(Self(Arc::new(store.with_fsync(true))))
    }

    fn in_bucket(url: &Url) -> anyhow::Result<Self> {
        let bucket = url.host_str().unwrap_or_default();
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build()
            .context("DOCKET_MEDIA_URL: the settings AWS_… of S3 cannot be used")?;
        let prefix = Key::from_url_path(url.path()).context("DOCKET_MEDIA_URL")?;
        Ok(Self(if prefix.as_ref().is_empty() {
            Arc::new(store)
        } else {
            Arc::new(PrefixStore::new(store, prefix))
        }))
    }

    /// Keeps a file of at most `max_bytes`. Its bytes pass through in parts, and are never in memory as a whole. `id` is new.
    ///
    /// # Errors
    ///
    /// [`KeepError`]; nothing stays behind.
    pub async fn keep<E>(
        &self,
        id: Uuid,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        max_bytes: u64,
    ) -> Result<StoredFile, KeepError<E>> {
        let incoming = Key::from(format!("{INCOMING}/{}", id.simple()));
        let upload = self.0.put_multipart(&incoming).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match pass_through(&mut upload, bytes, max_bytes).await {
            Ok(passed) => {
                upload.finish().await?;
                self.put_in_place(&incoming, passed)
                    .await
                    .map_err(KeepError::Store)
            }
            Err(error) => {
                // What is left is removed later.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    async fn put_in_place(
        &self,
        incoming: &Key,
        passed: Passed,
    ) -> Result<StoredFile, object_store::Error> {
        let media_type = sniffed(&passed.head);
        let mut file = StoredFile {
            sha256: hex::encode(passed.digest),
            size: passed.size,
            media_type: media_type.to_owned(),
            name: None,
            width: None,
            height: None,
        };
        if picture::is_shown(media_type) {
            let head = self
                .0
                .get_range(incoming, 0..passed.size.min(PICTURE_HEAD_BYTES))
                .await?;
            if let Some((width, height)) = picture::size(head).await {
                (file.width, file.height) = (Some(width), Some(height));
            }
        }
        self.0.rename(incoming, &key(&file.sha256)).await?;
        Ok(file)
    }

    /// The bytes of a file, all or a part of them; `None` where the store has no such file.
    ///
    /// # Errors
    ///
    /// The store's error.
    pub async fn read(
        &self,
        sha256: &str,
        range: Option<Range<u64>>,
    ) -> Result<
        Option<impl Stream<Item = Result<Bytes, object_store::Error>> + Send + 'static>,
        object_store::Error,
    > {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        match self.0.get_opts(&key(sha256), options).await {
            Ok(found) => Ok(Some(found.into_stream())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The whole of a file that is small enough to be held in memory; `None` where the store has no such file.
    ///
    /// # Errors
    ///
    /// The store's error.
    pub async fn read_whole(&self, sha256: &str) -> Result<Option<Bytes>, object_store::Error> {
        self.whole(&key(sha256)).await
    }

    async fn whole(&self, key: &Key) -> Result<Option<Bytes>, object_store::Error> {
        match self.0.get(key).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The thumbnail of a file, where it was made.
    ///
    /// # Errors
    ///
    /// The store's error.
    pub async fn thumbnail(&self, sha256: &str) -> Result<Option<Bytes>, object_store::Error> {
        self.whole(&thumbnail_key(sha256)).await
    }

    /// Keeps a thumbnail.
    ///
    /// # Errors
    ///
    /// The store's error.
    pub async fn keep_thumbnail(
        &self,
        sha256: &str,
        bytes: Bytes,
    ) -> Result<(), object_store::Error> {
        self.0
            .put(&thumbnail_key(sha256), bytes.into())
            .await
            .map(drop)
    }

    /// Removes what was begun before `before` and never became whole; gives how many files that were.
    ///
    /// # Errors
    ///
    /// The store's error.
    pub async fn forget_incoming(&self, before: DateTime<Utc>) -> Result<u64, object_store::Error> {
        let begun: Vec<_> = self
            .0
            .list(Some(&Key::from(INCOMING)))
            .try_filter(|file| std::future::ready(file.last_modified < before))
            .try_collect()
            .await?;
        for file in &begun {
            self.0.delete(&file.location).await?;
        }
        Ok(begun.len() as u64)
    }
}

/// Files of people: nobody else on the machine reads them.
fn create_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// What is known of a file whose bytes have passed.
struct Passed {
    digest: digest::Digest,
    size: u64,
    head: Vec<u8>,
}

async fn pass_through<E>(
    upload: &mut WriteMultipart,
    bytes: impl Stream<Item = Result<Bytes, E>>,
    max_bytes: u64,
) -> Result<Passed, KeepError<E>> {
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut size = 0;
    let mut head = vec![];
    let mut bytes = std::pin::pin!(bytes);
    while let Some(part) = bytes.next().await {
        let part = part.map_err(KeepError::Source)?;
        size += part.len() as u64;
        if size > max_bytes {
            return Err(KeepError::TooLarge);
        }
        hash.update(&part);
        let missing = HEAD_BYTES.saturating_sub(head.len()).min(part.len());
        head.extend_from_slice(&part[..missing]);
        upload.wait_for_capacity(PARTS_AT_ONCE).await?;
        upload.write(&part);
    }
    Ok(Passed {
        digest: hash.finish(),
        size,
        head,
    })
}

/// The media type that the first bytes of a file tell.
pub fn sniffed(head: &[u8]) -> &'static str {
    if let Some(kind) = infer::get(head) {
        return match kind.mime_type() {
            // WhatsApp's voice messages: Opus in Ogg.
            "application/ogg" => "audio/ogg",
            "audio/m4a" | "audio/x-m4a" => "audio/mp4",
            "audio/x-wav" => "audio/wav",
            "video/3gpp" => "video/3gpp",
            known => known,
        };
    }
    let text = head.trim_ascii_start();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text
        .get(..11)
        .is_some_and(|first| first.eq_ignore_ascii_case(b"BEGIN:VCARD"))
    {
        return "text/vcard";
    }
    if is_plain_text(head) {
        return "text/plain";
    }
    UNKNOWN_TYPE
}

/// Whether it reads as text; the last character may be cut.
fn is_plain_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

fn key(sha256: &str) -> Key {
    Key::from(format!("sha256/{}/{sha256}", first_two(sha256)))
}

fn thumbnail_key(sha256: &str) -> Key {
    Key::from(format!("thumbnails/{}/{sha256}", first_two(sha256)))
}

fn first_two(sha256: &str) -> &str {
    sha256.get(..2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    fn parts(parts: &[&'static [u8]]) -> impl Stream<Item = Result<Bytes, Infallible>> {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part)))
            .collect();
        stream::iter(parts)
    }

    async fn whole(store: &MediaStore, sha256: &str, range: Option<Range<u64>>) -> Vec<u8> {
        let bytes = store.read(sha256, range).await.unwrap().unwrap();
        let parts: Vec<Bytes> = bytes.try_collect().await.unwrap();
        parts.concat()
    }

    #[tokio::test]
    async fn a_file_is_kept_by_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let store = MediaStore::in_folder(&folder.path().join("media")).unwrap();
        let file = store
            .keep(Uuid::from_u128(1), parts(&[b"Hello ", b"there"]), 11)
            .await
            .unwrap();
        assert_eq!(
            file.sha256,
            "4e47826698bb4630fb4451010062fadbf85d61427cbdfaed7ad0f23f239bed89"
        );
        assert_eq!((file.size, file.media_type.as_str()), (11, "text/plain"));
        assert_eq!(whole(&store, &file.sha256, None).await, b"Hello there");
        assert_eq!(whole(&store, &file.sha256, Some(6..9)).await, b"the");
        let again = store
            .keep(Uuid::from_u128(2), parts(&[b"Hello there"]), 11)
            .await
            .unwrap();
        assert_eq!(again, file);
        let incoming = store.0.list(Some(&Key::from(INCOMING)));
        assert_eq!(incoming.count().await, 0);
        assert!(store.read(&"0".repeat(64), None).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_file_that_is_too_large_or_breaks_off_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = MediaStore::in_folder(folder.path()).unwrap();
        let kept = store
            .keep(Uuid::from_u128(1), parts(&[b"Hello ", b"there"]), 10)
            .await;
        assert!(matches!(kept, Err(KeepError::TooLarge)), "{kept:?}");
        let broken = stream::iter([Ok(Bytes::from_static(b"Hello")), Err("broken")]);
        let kept = store.keep(Uuid::from_u128(2), broken, 10).await;
        assert!(matches!(kept, Err(KeepError::Source("broken"))), "{kept:?}");
        assert_eq!(store.0.list(None).count().await, 0);
    }

    #[test]
    fn the_type_is_what_the_bytes_say() {
        for (head, expected) in [
            (&b"\x89PNG\r\n\x1a\n0000"[..], "image/png"),
            (b"\xff\xd8\xff\xe0aaaa", "image/jpeg"),
            (b"%PDF-1.7", "application/pdf"),
            (b"OggS\0\x02aaaa", "audio/ogg"),
            (b"begin:vcard\r\nVERSION:3.0", "text/vcard"),
            (b"Hello", "text/plain"),
            ("Gr\u{fc}\u{df}e".as_bytes(), "text/plain"),
            (&"\u{fc}".as_bytes()[..1], UNKNOWN_TYPE),
            (b"", UNKNOWN_TYPE),
            (b"\0\x01\x02", UNKNOWN_TYPE),
        ] {
            assert_eq!(sniffed(head), expected, "{head:?}");
        }
    }
}
