use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use secrecy::ExposeSecret as _;

use super::*;
use crate::simulator::keys;

fn pem(label: &str, der: &[u8]) -> String {
    let body = LENIENT.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// A DER element of at most 65,535 bytes.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, &body].concat()
}

/// A key of Vonage's in PKCS#8, as DER, and the PKCS#1 key inside it.
fn rsa() -> (String, Vec<u8>, Vec<u8>) {
    let pem = keys().private_key_pem.expose_secret().to_owned();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let whole = LENIENT.decode(body).unwrap();
    let (_, parts, _) = element(&whole).unwrap();
    let (_, _, rest) = element(parts).unwrap();
    let (_, _, rest) = element(rest).unwrap();
    let inner = element(rest).unwrap().1.to_vec();
    (pem, whole, inner)
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2], mark: &[u8]) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(order);
    mark.iter().copied().chain(units).collect()
}

#[test]
fn an_rsa_key_is_read_in_every_form_in_which_people_have_it() {
    let (pkcs8, pkcs8_der, pkcs1_der) = rsa();
    let pkcs1 = pem("RSA PRIVATE KEY", &pkcs1_der);
    let bare: String = pkcs8
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let bare_lines = pkcs8
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect::<Vec<_>>()
        .join("\n");
    let texts = [
        ("as downloaded", pkcs8.clone()),
        ("PKCS#1", pkcs1.clone()),
        (
            "without a line break at the end",
            pkcs8.trim_end().to_owned(),
        ),
        ("CRLF", pkcs8.replace('\n', "\r\n")),
        ("CR", pkcs8.replace('\n', "\r")),
        ("line breaks written out", pkcs8.replace('\n', "\\n")),
        ("CRLF written out", pkcs8.replace('\n', "\\r\\n")),
        (
            "in quotes, written out",
            format!("\"{}\"", pkcs8.replace('\n', "\\n")),
        ),
        ("PKCS#1 written out", pkcs1.replace('\n', "\\n")),
        ("on one line", pkcs8.replace('\n', " ")),
        ("indented", pkcs8.replace('\n', "\n    ")),
        ("byte order mark", format!("\u{feff}{pkcs8}")),
        (
            "text around",
            format!("Key of Docket:\n\n{pkcs8}\nKeep it safe."),
        ),
        ("invisible at the ends", format!("\u{200b} {pkcs8}\u{a0}")),
        ("certificate before it", pem("CERTIFICATE", b"x") + &pkcs8),
        ("public key before it", pem("PUBLIC KEY", b"x") + &pkcs8),
        ("its base64", bare.clone()),
        ("its base64 in lines", bare_lines),
        ("base64 of PKCS#1", LENIENT.encode(&pkcs1_der)),
    ];
    let mut forms: Vec<(&str, Vec<u8>)> =
        texts.map(|(what, text)| (what, text.into_bytes())).into();
    forms.extend([
        (
            "UTF-16 little-endian",
            utf16(&pkcs8, u16::to_le_bytes, &[0xff, 0xfe]),
        ),
        (
            "UTF-16 big-endian",
            utf16(&pkcs8, u16::to_be_bytes, &[0xfe, 0xff]),
        ),
        (
            "UTF-16 without a mark",
            utf16(&pkcs8, u16::to_le_bytes, &[]),
        ),
        ("DER", pkcs8_der.clone()),
        ("DER of PKCS#1", pkcs1_der),
        ("DER with a line break", [&pkcs8_der[..], b"\n"].concat()),
    ]);
    for (what, bytes) in forms {
        let key = read(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        EncodingKey::from_rsa_pem(key.expose_secret().as_bytes()).unwrap();
        // A form of the console carries text.
        assert!(
            read(form_text(&bytes).as_bytes()).is_ok(),
            "{what} in a form"
        );
    }
}

#[test]
fn what_is_no_such_key_is_named_for_what_it_is() {
    let (pkcs8, pkcs8_der, pkcs1_der) = rsa();
    let random = aws_lc_rs::rand::SystemRandom::new();
    let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let oid = der(OID, &[RSA]);
    let algorithm = der(SEQUENCE, &[&oid]);
    let public = der(SEQUENCE, &[&algorithm, &der(0x03, &[b"x"])]);
    let number = |length: usize| der(INTEGER, &[&vec![0x7f; length]]);
    let short = der(SEQUENCE, &[&[INTEGER, 1, 0], &number(128), &number(3)]);
    let wrapped = der(
        SEQUENCE,
        &[&[INTEGER, 1, 0], &algorithm, &der(OCTETS, &[&short])],
    );
    let pbes2 = der(OID, &[PBES, &[0x05, 0x0d]]);
    let encrypted = der(
        SEQUENCE,
        &[&der(SEQUENCE, &[&pbes2]), &der(OCTETS, &[b"x"])],
    );
    let certificate = der(
        SEQUENCE,
        &[&der(SEQUENCE, &[&der(0xa0, &[b"x"])]), &algorithm],
    );
    let pkcs12 = der(SEQUENCE, &[&[INTEGER, 1, 3], &algorithm]);
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let ec_parts = pem("EC PARAMETERS", b"x") + &pem("EC PRIVATE KEY", b"x");
    let cut = &pkcs8[..pkcs8.len() / 2];
    let cut_inside = pem("PRIVATE KEY", &pkcs8_der[..400]);
    let mut spoiled = pkcs8_der.clone();
    let last = spoiled.len() - 700;
    spoiled[last] ^= 0x55;
    let cases: Vec<(Vec<u8>, KeyError)> = vec![
        (b"".into(), KeyError::Empty),
        (" \r\n\u{feff}".into(), KeyError::Empty),
        (
            pem("ENCRYPTED PRIVATE KEY", &encrypted).into(),
            KeyError::Encrypted,
        ),
        (pem("PRIVATE KEY", &encrypted).into(), KeyError::Encrypted),
        (encrypted, KeyError::Encrypted),
        (old.into(), KeyError::Encrypted),
        (pem("PUBLIC KEY", &public).into(), KeyError::Public),
        (pem("RSA PUBLIC KEY", &public).into(), KeyError::Public),
        (public, KeyError::Public),
        ("ssh-rsa AAAAB3NzaC1yc2E docket".into(), KeyError::Public),
        (
            pem("CERTIFICATE", &certificate).into(),
            KeyError::Certificate,
        ),
        (
            pem("CERTIFICATE REQUEST", &certificate).into(),
            KeyError::Certificate,
        ),
        (certificate, KeyError::Certificate),
        (ec.as_ref().into(), KeyError::NotRsa),
        (pem("PRIVATE KEY", ec.as_ref()).into(), KeyError::NotRsa),
        (pem("PRIVATE KEY", ed.as_ref()).into(), KeyError::NotRsa),
        (ec_parts.into(), KeyError::NotRsa),
        (
            utf16(
                &pem("EC PRIVATE KEY", b"x"),
                u16::to_le_bytes,
                &[0xff, 0xfe],
            ),
            KeyError::NotRsa,
        ),
        (pem("OPENSSH PRIVATE KEY", b"x").into(), KeyError::OpenSsh),
        (pkcs12, KeyError::Pkcs12),
        (pem("RSA PRIVATE KEY", &short).into(), KeyError::TooShort),
        (pem("PRIVATE KEY", &wrapped).into(), KeyError::TooShort),
        ("/etc/docket/private.key".into(), KeyError::FileName),
        ("private.key".into(), KeyError::FileName),
        (cut.into(), KeyError::Damaged),
        (cut_inside.into(), KeyError::Damaged),
        (pem("PRIVATE KEY", &spoiled).into(), KeyError::Damaged),
        (pkcs1_der[..200].into(), KeyError::Damaged),
        ("hunter2hunter2".into(), KeyError::NoKey),
        (pem("PRIVATE KEY", b"not a key").into(), KeyError::NoKey),
        (pem("PGP MESSAGE", b"x").into(), KeyError::NoKey),
        (vec![0xff; 40], KeyError::NoKey),
    ];
    for (number, (bytes, expected)) in cases.into_iter().enumerate() {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(read(&bytes).unwrap_err(), expected, "{number}: {shown}");
        let in_form = form_text(&bytes);
        let in_form = read(in_form.as_bytes()).unwrap_err();
        // Of what is neither text nor DER, the form knows only that it is no key.
        let is_named = in_form == expected || in_form == KeyError::NoKey;
        assert!(is_named, "{number} in a form: {in_form:?}");
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    let (_, whole, _) = rsa();
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
    for at in 0..40 {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            // It must not panic; some changes leave a key that can sign.
            let _ = read(&changed);
        }
    }
}
