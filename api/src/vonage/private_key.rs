//! Reads the application's private key in the forms in which people have it, and names what is
//! none.
//!
//! Taken are RSA keys of 2,048 bits or more: PEM in PKCS#8 or PKCS#1, also in UTF-16, on one line,
//! with line breaks written as `\n`, in quotes or with text around it; base64 without its header;
//! DER. Whatever else comes is told for what it is, with the remedy. No error holds anything of the
//! key.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use docket_domain::text::normalise::without_ends;
use jsonwebtoken::EncodingKey;
use secrecy::SecretString;

/// The fewest bits that can sign.
const MIN_BITS: usize = 2_048;
/// Base64 as it is copied: with padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
const LINE_CHARS: usize = 64;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const PBES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01];

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// What was given instead of a private key that can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing.
    #[error(
        "the private key is empty; give the file that Vonage had you download when you made the application's keys"
    )]
    Empty,
    /// A key behind a pass phrase.
    #[error(
        "the private key is encrypted with a pass phrase; take it off with: openssl pkey -in private.key -out plain.key"
    )]
    Encrypted,
    /// The other half.
    #[error(
        "that is a public key; give the private one, which was downloaded when the application's keys were made (it begins with -----BEGIN PRIVATE KEY-----)"
    )]
    Public,
    /// A certificate.
    #[error(
        "that is a certificate; give the private key, which was downloaded when the application's keys were made (it begins with -----BEGIN PRIVATE KEY-----)"
    )]
    Certificate,
    /// A key of another algorithm.
    #[error(
        "that is a private key, but no RSA key; generate the application's keys at Vonage, which makes an RSA key, and give that file"
    )]
    NotRsa,
    /// A key in OpenSSH's own form.
    #[error(
        "that is a key in OpenSSH's own form; give the file downloaded from Vonage, or turn a copy of this one into PEM with: ssh-keygen -p -m PEM -f private.key"
    )]
    OpenSsh,
    /// A key and its certificate in one file.
    #[error(
        "that is a PKCS#12 file; take the private key out of it with: openssl pkcs12 -in file.p12 -nocerts -nodes -out private.key"
    )]
    Pkcs12,
    /// An RSA key that is too short.
    #[error(
        "the RSA key is too short; RSA keys of 2048 bits or more can sign: generate the application's keys anew at Vonage"
    )]
    TooShort,
    /// The name of a file.
    #[error("that is the name of a file, not what stands in it; give the file's content")]
    FileName,
    /// A key that lacks a part.
    #[error(
        "the private key is damaged, such as by copying only a part of it; copy the whole file, from -----BEGIN to the end of the END line"
    )]
    Damaged,
    /// Something else.
    #[error(
        "that is no private key; give the file that begins with -----BEGIN PRIVATE KEY-----, as it was downloaded from Vonage"
    )]
    NoKey,
}

/// Reads a key; gives it in PEM, as the rest of Docket keeps it.
///
/// # Errors
///
/// What it is instead.
pub fn read(bytes: &[u8]) -> Result<SecretString, KeyError> {
    if let Some(text) = text_of(bytes) {
        return read_text(&text);
    }
    // Some files end in a line break.
    let rest = element(bytes).map_or(0, |(_, _, rest)| rest.len());
    pem_of(&bytes[..bytes.len() - rest])
}

/// What stands in an uploaded file, as text: its base64 where it is none, which [`read`] takes too.
pub fn form_text(bytes: &[u8]) -> String {
    text_of(bytes).unwrap_or_else(|| LENIENT.encode(bytes))
}

/// The text in UTF-8 or UTF-16; `None` where it is none.
fn text_of(bytes: &[u8]) -> Option<String> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| unit([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // Without a byte order mark, by the zero beside each plain letter.
        [1..=255, 0, 1..=255, 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, 1..=255, 0, 1..=255, ..] => utf16(bytes, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec())
            .ok()
            .filter(|text| !text.contains('\0')),
    }
}

fn read_text(text: &str) -> Result<SecretString, KeyError> {
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let text = without_ends(&text).trim_matches(['"', '\'']);
    let text = without_ends(text);
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    let Some((label, body)) = block(text)? else {
        return read_bare(text);
    };
    match label {
        "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
        "EC PRIVATE KEY" | "DSA PRIVATE KEY" => return Err(KeyError::NotRsa),
        "OPENSSH PRIVATE KEY" => return Err(KeyError::OpenSsh),
        "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
        label if label.contains("PUBLIC KEY") => return Err(KeyError::Public),
        label if label.contains("CERTIFICATE") => return Err(KeyError::Certificate),
        _ => return Err(KeyError::NoKey),
    }
    if body.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    pem_of(&base64(body).ok_or(KeyError::Damaged)?)
}

/// The label and the body of the first block that holds a private key, else of the first at all.
fn block(text: &str) -> Result<Option<(&str, &str)>, KeyError> {
    let mut first = None;
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, behind) = begun.split_once("-----").ok_or(KeyError::Damaged)?;
        let end = format!("-----END {label}-----");
        let found = behind.split_once(end.as_str());
        let is_private = label.contains("PRIVATE KEY");
        match found {
            Some((body, after)) => {
                if is_private {
                    return Ok(Some((label, body)));
                }
                first = first.or(Some((label, body)));
                rest = after;
            }
            None if is_private => return Err(KeyError::Damaged),
            None => return Ok(first.or(Some((label, behind)))),
        }
    }
    Ok(first)
}

/// A text without any header.
fn read_bare(text: &str) -> Result<SecretString, KeyError> {
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") {
        return Err(KeyError::Public);
    }
    if let Some(der) = base64(text).filter(|der| der.first() == Some(&SEQUENCE)) {
        return read(&der);
    }
    let is_path = text.starts_with(['/', '~', '.']) && !text.contains("//");
    let has_ending = [".key", ".pem", ".txt"]
        .iter()
        .any(|ending| text.ends_with(ending));
    let is_name = !text.contains('\n') && text.len() < 300 && (is_path || has_ending);
    Err(if is_name {
        KeyError::FileName
    } else {
        KeyError::NoKey
    })
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let kept: String = text.chars().filter(char::is_ascii_graphic).collect();
    LENIENT.decode(kept).ok()
}

/// The key of a DER document in PEM, tried.
fn pem_of(der: &[u8]) -> Result<SecretString, KeyError> {
    let label = match kind_of(der)? {
        Kind::Pkcs8 => "PRIVATE KEY",
        Kind::Pkcs1 => "RSA PRIVATE KEY",
    };
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(LINE_CHARS) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem = format!("{pem}-----END {label}-----");
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| KeyError::Damaged)?;
    // Whether it can be read is not whether it can sign.
    jsonwebtoken::crypto::sign(b"tried", &key, jsonwebtoken::Algorithm::RS256)
        .map_err(|_| KeyError::Damaged)?;
    Ok(pem.into())
}

/// The forms of an RSA key.
enum Kind {
    Pkcs1,
    Pkcs8,
}

/// What a DER document holds, by its first elements.
fn kind_of(der: &[u8]) -> Result<Kind, KeyError> {
    if der.first() != Some(&SEQUENCE) {
        return Err(KeyError::NoKey);
    }
    let (_, body, _) = element(der).ok_or(KeyError::Damaged)?;
    let (first, value, rest) = element(body).ok_or(KeyError::Damaged)?;
    let second = element(rest).map(|(tag, value, _)| (tag, value));
    match (first, value, second) {
        (INTEGER, [3], _) => Err(KeyError::Pkcs12),
        (INTEGER, [1], Some((OCTETS, _))) => Err(KeyError::NotRsa),
        (INTEGER, [0 | 1], Some((SEQUENCE, algorithm))) => match element(algorithm) {
            Some((OID, RSA, _)) => {
                let key = element(rest).and_then(|(_, _, rest)| element(rest));
                let key = key.map(|(_, key, _)| key).and_then(element);
                let numbers = key.map(|(_, numbers, _)| numbers);
                check_length(numbers.ok_or(KeyError::Damaged)?)?;
                Ok(Kind::Pkcs8)
            }
            _ => Err(KeyError::NotRsa),
        },
        (INTEGER, [0], Some((INTEGER, _))) => {
            check_length(body)?;
            Ok(Kind::Pkcs1)
        }
        // A public key alone, of PKCS#1.
        (INTEGER, _, _) => Err(KeyError::Public),
        (SEQUENCE, algorithm, Some((OCTETS, _))) => match element(algorithm) {
            Some((OID, id, _)) if id.starts_with(PBES) => Err(KeyError::Encrypted),
            _ => Err(KeyError::NoKey),
        },
        (SEQUENCE, inner, _) => match element(inner) {
            Some((OID, _, _)) => Err(KeyError::Public),
            _ => Err(KeyError::Certificate),
        },
        _ => Err(KeyError::NoKey),
    }
}

/// Whether an RSA key's modulus, the second of its `numbers`, is long enough.
fn check_length(numbers: &[u8]) -> Result<(), KeyError> {
    let modulus = element(numbers)
        .and_then(|(_, _, rest)| element(rest))
        .map(|(_, modulus, _)| modulus)
        .ok_or(KeyError::Damaged)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    if (modulus.len() - zeros) * 8 < MIN_BITS {
        Err(KeyError::TooShort)
    } else {
        Ok(())
    }
}

/// The tag and value of the first element of `der`, and what stands behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f).min(4))?;
        let length = bytes
            .iter()
            .fold(0, |length, byte| (length << 8) | usize::from(*byte));
        (length, rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

#[cfg(test)]
mod tests;
