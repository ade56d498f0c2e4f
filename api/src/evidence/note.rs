//! Checkpoints as signed notes (C2SP tlog-checkpoint and signed-note), and the key that signs them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use docket_projections::evidence::Hash;
use ed25519_dalek::SigningKey;
use signed_note::{
    Note, Signer as _, StandardSigner, StandardVerifier, Verifier as _, VerifierList,
};

use crate::ambient;

/// Ed25519, as keys of signed notes name it.
const ALGORITHM: u8 = 1;

/// The name of a new log: the host of its public address, and random digits.
pub fn origin(public_url: &str) -> String {
    let host = public_url
        .split_once("://")
        .map_or(public_url, |(_, rest)| rest)
        .split('/')
        .next()
        .filter(|host| !host.is_empty() && !host.contains(['+', ' ']))
        .unwrap_or("docket");
    format!("{host}/{}", hex::encode(ambient::random_bytes::<4>()))
}

/// The key that signs checkpoints.
pub struct LogSigner {
    signer: StandardSigner,
    private_key: String,
    public_key: String,
}

/// Shows nothing of the key.
impl std::fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogSigner(…)")
    }
}

impl LogSigner {
    /// A new key of the log with that name.
    ///
    /// # Panics
    ///
    /// Never: the key has the form that is read.
    pub fn generate(origin: &str) -> Self {
        let seed = ambient::random_bytes::<32>();
        let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let id = signed_note::key_id(origin, &[&[ALGORITHM], &public[..]].concat());
        let key = BASE64_STANDARD.encode([&[ALGORITHM], &seed[..]].concat());
        Self::read(&format!("PRIVATE+KEY+{origin}+{id:08x}+{key}"))
            .expect("a new key has the form of keys")
    }

    /// Reads a key: `PRIVATE+KEY+<name>+<id>+<base64>`.
    pub fn read(text: &str) -> Option<Self> {
        let signer = StandardSigner::new(text).ok()?;
        let key = text.rsplit('+').next_back()?;
        // Base64 may hold a plus sign, so the key is what follows the id.
        let key = text
            .strip_prefix(&format!(
                "PRIVATE+KEY+{}+{:08x}+",
                signer.name(),
                signer.key_id()
            ))
            .unwrap_or(key);
        let bytes = BASE64_STANDARD.decode(key).ok()?;
        let seed: [u8; 32] = bytes.get(1..)?.try_into().ok()?;
        let public = SigningKey::from_bytes(&seed).verifying_key();
        Some(Self {
            public_key: signed_note::new_ed25519_verifier_key(signer.name(), &public),
            private_key: text.to_owned(),
            signer,
        })
    }

    /// The key in the form that [`LogSigner::read`] takes.
    pub(super) fn private_key(&self) -> &str {
        &self.private_key
    }

    /// Its public half: `<name>+<id>+<base64>`.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.signer.name()
    }

    /// A signed checkpoint of so many events.
    pub fn checkpoint(&self, size: i64, root: Hash) -> String {
        self.note(&format!("{}\n{size}\n{root}\n", self.origin()))
    }

    /// A signed note of lines of text.
    ///
    /// # Panics
    ///
    /// Never, where the text is lines without control characters.
    pub fn note(&self, text: &str) -> String {
        let mut note = Note::new(text.as_bytes(), &[]).expect("lines make a note");
        note.add_sigs(&[&self.signer])
            .expect("the key's name was read");
        String::from_utf8_lossy(&note.to_bytes()).into_owned()
    }

    /// The signature of some bytes, in base64.
    ///
    /// # Panics
    ///
    /// Never: Ed25519 signs everything.
    pub fn signature(&self, message: &[u8]) -> String {
        let signature = self.signer.sign(message).expect("Ed25519 signs everything");
        BASE64_STANDARD.encode(signature)
    }
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// The log's name.
    pub origin: String,
    /// How many events it covers.
    pub size: i64,
    /// The root of their tree.
    pub root: Hash,
}

/// Why a note does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has not the form of a checkpoint.
    #[error("it has not the form of a checkpoint")]
    Form,
    /// It is not signed with this key.
    #[error("it is not signed with the log's key")]
    Signature,
}

/// The public half of a key.
#[derive(Clone, Debug)]
pub struct PublicKey(String);

impl PublicKey {
    /// Reads `<name>+<id>+<base64>`.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        StandardVerifier::new(text)
            .ok()
            .map(|_| Self(text.to_owned()))
    }

    /// The key as it was read.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of a note that was signed with this key.
    ///
    /// # Errors
    ///
    /// [`NoteError`].
    pub fn open(&self, note: &str) -> Result<String, NoteError> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| NoteError::Form)?;
        let verifier = StandardVerifier::new(&self.0).map_err(|_| NoteError::Signature)?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)]))
            .map_err(|_| NoteError::Signature)?;
        String::from_utf8(note.text().to_vec()).map_err(|_| NoteError::Form)
    }

    /// What a checkpoint of the key's log says.
    ///
    /// # Errors
    ///
    /// [`NoteError`]; of [`NoteError::Signature`] also where it is a checkpoint of another log.
    pub fn checkpoint(&self, note: &str) -> Result<Stated, NoteError> {
        let stated = stated(&self.open(note)?).ok_or(NoteError::Form)?;
        let name = StandardVerifier::new(&self.0).map_err(|_| NoteError::Signature)?;
        if stated.origin == name.name() {
            Ok(stated)
        } else {
            Err(NoteError::Signature)
        }
    }
}

/// What the text of a checkpoint says, whoever signed it.
pub fn stated(text: &str) -> Option<Stated> {
    let mut lines = text.lines();
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let number: i64 = size.parse().ok()?;
    (number >= 0 && number.to_string() == size && !origin.is_empty()).then_some(())?;
    Some(Stated {
        origin: origin.to_owned(),
        size: number,
        root: Hash::parse_hash(root).ok()?,
    })
}

/// The notes of a file that holds several, one behind the other: each ends with its signatures. Empty lines may stand between.
pub fn split(text: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let (mut note, mut is_signed) = (String::new(), false);
    for line in text.lines() {
        let is_signature = line.starts_with("\u{2014} ");
        if is_signed && !is_signature {
            notes.push(std::mem::take(&mut note));
            is_signed = false;
        }
        if line.is_empty() && note.is_empty() {
            continue;
        }
        is_signed |= is_signature;
        note.push_str(line);
        note.push('\n');
    }
    if !note.trim().is_empty() {
        notes.push(note);
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_with_the_key_that_signed_it_and_with_no_other() {
        for _ in 0..20 {
            let signer = LogSigner::generate("docket.example.com/01020304");
            let key = PublicKey::read(signer.public_key()).unwrap();
            let note = signer.checkpoint(1_000, Hash([7; 32]));
            let expected = Stated {
                origin: "docket.example.com/01020304".to_owned(),
                size: 1_000,
                root: Hash([7; 32]),
            };
            assert_eq!(key.checkpoint(&note), Ok(expected));
            let forged = note.replace("1000", "1001");
            assert_eq!(key.checkpoint(&forged), Err(NoteError::Signature));
            let other = LogSigner::generate("docket.example.com/01020304");
            let other = PublicKey::read(other.public_key()).unwrap();
            assert_eq!(other.checkpoint(&note), Err(NoteError::Signature));
            let again = LogSigner::read(signer.private_key()).unwrap();
            assert_eq!(again.public_key(), signer.public_key());
        }
    }

    #[test]
    fn a_checkpoint_of_another_log_is_none_of_ours() {
        let signer = LogSigner::generate("one.example.com/01");
        let key = PublicKey::read(signer.public_key()).unwrap();
        let root = Hash([1; 32]);
        let note = signer.note(&format!("two.example.com/01\n5\n{root}\n"));
        assert_eq!(key.checkpoint(&note), Err(NoteError::Signature));
        for text in ["x\n05\n", "x\n-1\n", "x\n5\nAAAA\n", "x\n5\n"] {
            let note = signer.note(text);
            assert_eq!(key.checkpoint(&note), Err(NoteError::Form), "{text:?}");
        }
        assert_eq!(key.checkpoint("no note"), Err(NoteError::Form));
    }

    #[test]
    fn notes_behind_each_other_are_told_apart() {
        let signer = LogSigner::generate("docket.example.com/01");
        let notes = [1, 2, 3].map(|size| signer.checkpoint(size, Hash([1; 32])));
        assert_eq!(split(&notes.concat()), notes);
        assert_eq!(split(&format!("\n{}\n\n", notes.join("\n"))), notes);
        assert_eq!(split(""), Vec::<String>::new());
        assert_eq!(split("half a note\n5\n"), ["half a note\n5\n"]);
    }

    #[test]
    fn a_log_is_named_by_its_host() {
        for (url, begin) in [
            ("https://docket.example.com/base", "docket.example.com/"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080/"),
            ("", "docket/"),
        ] {
            let name = origin(url);
            assert!(name.starts_with(begin), "{name}");
            assert_eq!(name.len(), begin.len() + 8);
        }
    }
}
