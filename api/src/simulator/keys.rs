//! Keys for an invented account.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// An RSA key pair in the forms that Vonage's dashboard gives: what Docket signs with, and what the account verifies with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// PKCS#8 in PEM.
    pub private_key_pem: SecretString,
    /// `SubjectPublicKeyInfo` in PEM.
    pub public_key_pem: String,
}

/// Makes a new pair of 2048 bits; takes about a tenth of a second.
///
/// # Panics
///
/// If the operating system gives no random bytes.
pub fn keys() -> Keys {
    let pair =
        RsaKeyPair::generate(KeySize::Rsa2048).expect("the operating system gives random bytes");
    let private: Pkcs8V1Der<'_> = pair.as_der().expect("a new key can be written down");
    let public: PublicKeyX509Der<'_> = pair
        .public_key()
        .as_der()
        .expect("a new key can be written down");
    Keys {
        private_key_pem: pem("PRIVATE KEY", private.as_ref()).into(),
        public_key_pem: pem("PUBLIC KEY", public.as_ref()),
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    const LINE_BYTES_OF_DER: usize = 48;

    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(LINE_BYTES_OF_DER) {
        STANDARD.encode_string(line, &mut pem);
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}
