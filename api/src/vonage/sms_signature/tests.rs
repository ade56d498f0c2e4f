//! Vectors of the methods, as Vonage's own libraries have them, and what must not pass.

use super::*;

/// A secret, parameters, and their signature.
type Vector = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const VECTORS: [Vector; 23] = [
    // md5hash
    (
        "my_secret_key_for_testing",
        &[
            ("message-timestamp", "2013-11-21 15:27:30"),
            ("messageId", "020000001B0FE827"),
            ("msisdn", "14843472194"),
            ("text", "Test again"),
            ("timestamp", "1385047698"),
            ("to", "13239877404"),
            ("type", "text"),
        ],
        "d2e7b1dc968737c5998ad624e02f90b7",
    ),
    // md5
    (
        "my_secret_key_for_testing",
        &[
            ("message-timestamp", "2013-11-21 15:27:30"),
            ("messageId", "020000001B0FE827"),
            ("msisdn", "14843472194"),
            ("text", "Test again"),
            ("timestamp", "1385047698"),
            ("to", "13239877404"),
            ("type", "text"),
        ],
        "DDEBD46008C2D4E93CCE578A332A52D5",
    ),
    // sha1
    (
        "my_secret_key_for_testing",
        &[
            ("message-timestamp", "2013-11-21 15:27:30"),
            ("messageId", "020000001B0FE827"),
            ("msisdn", "14843472194"),
            ("text", "Test again"),
            ("timestamp", "1385047698"),
            ("to", "13239877404"),
            ("type", "text"),
        ],
        "27D0D05C2876C7CB1720DBCDBA4D492E1E55C09A",
    ),
    // sha256
    (
        "my_secret_key_for_testing",
        &[
            ("message-timestamp", "2013-11-21 15:27:30"),
            ("messageId", "020000001B0FE827"),
            ("msisdn", "14843472194"),
            ("text", "Test again"),
            ("timestamp", "1385047698"),
            ("to", "13239877404"),
            ("type", "text"),
        ],
        "DDB8397C2B90AAC7F3882D306475C9A5058C92322EEF43C92B298B6E0FC0D330",
    ),
    // sha512
    (
        "my_secret_key_for_testing",
        &[
            ("message-timestamp", "2013-11-21 15:27:30"),
            ("messageId", "020000001B0FE827"),
            ("msisdn", "14843472194"),
            ("text", "Test again"),
            ("timestamp", "1385047698"),
            ("to", "13239877404"),
            ("type", "text"),
        ],
        "E0D3C650F8C9D1A5C174D10DDDBFB003E561F59B265616208B0487C5D819481CD3C311D59CF6165ECD1139622D5BA3A256C0D763AC4A9AD9144B5A426B94FE82",
    ),
    // md5hash
    (
        "my_secret_key_for_testing",
        &[
            ("message-timestamp", "2013-11-21 17:37:31"),
            ("messageId", "030000002A267DBB"),
            ("msisdn", "14843472194"),
            ("text", "One more time"),
            ("timestamp", "1385055451"),
            ("to", "14849970568"),
            ("type", "text"),
        ],
        "83c052a82906ec7c116e16f6d92f7eee",
    ),
    // md5hash
    (
        "my_secret_key_for_testing",
        &[
            ("keyword", "TESTINGS"),
            ("message-timestamp", "2017-04-04 23:05:22"),
            ("messageId", "0C00000027217D5B"),
            ("msisdn", "14843472194"),
            ("nonce", "c4ab6ed2-9bf5-48a0-af91-107e29bdd399"),
            ("text", "Testings"),
            ("timestamp", "1491347122"),
            ("to", "12192259404"),
            ("type", "text"),
        ],
        "ff933bf31c79ab3fc6a38d100191c48f",
    ),
    // md5hash
    (
        "my_secret_key_for_testing",
        &[
            ("keyword", "TEST"),
            ("message-timestamp", "2017-04-04 22:57:47"),
            ("messageId", "0B00000042AC53BD"),
            ("msisdn", "14843472194"),
            ("nonce", "929d6744-bd28-42c8-b6cf-31d5b4f43732"),
            ("text", "Test with & and ="),
            ("timestamp", "1491346667"),
            ("to", "12192259404"),
            ("type", "text"),
        ],
        "e06d9763e3fd0b9c31beb5fc2fcb011c",
    ),
    // md5hash
    (
        "my_secret_key_for_testing",
        &[
            ("api_key", "not_a_key"),
            ("from", "12192259404"),
            ("text", "Test&test=something"),
            ("timestamp", "1490638615"),
            ("to", "14843472194"),
        ],
        "17f5e3b22f778ec73464c01d180e9d0f",
    ),
    // md5
    (
        "71efab63122f1d179f51c46bac838fb5",
        &[
            ("api_key", "fake_api_key"),
            ("to", "14155550100"),
            ("from", "AcmeInc"),
            ("text", "Test From Nexmo"),
            ("type", "text"),
            ("timestamp", "1540924779"),
        ],
        "51CDAFEBB4BBCE9525B195C1617CB8D2",
    ),
    // sha1
    (
        "71efab63122f1d179f51c46bac838fb5",
        &[
            ("api_key", "fake_api_key"),
            ("to", "14155550100"),
            ("from", "AcmeInc"),
            ("text", "Test From Nexmo"),
            ("type", "text"),
            ("timestamp", "1540924779"),
        ],
        "0162AEC64BC183B2E1256545951FE5639DC98020",
    ),
    // sha256
    (
        "71efab63122f1d179f51c46bac838fb5",
        &[
            ("api_key", "fake_api_key"),
            ("to", "14155550100"),
            ("from", "AcmeInc"),
            ("text", "Test From Nexmo"),
            ("type", "text"),
            ("timestamp", "1540924779"),
        ],
        "9FEC5EF6D0F2B3D2BB7558B6E4042569823CAB9EA0DD30503472B7B304601975",
    ),
    // sha512
    (
        "71efab63122f1d179f51c46bac838fb5",
        &[
            ("api_key", "fake_api_key"),
            ("to", "14155550100"),
            ("from", "AcmeInc"),
            ("text", "Test From Nexmo"),
            ("type", "text"),
            ("timestamp", "1540924779"),
        ],
        "40BD12B9A4B6000AD1138EEFD24FFE9FBD72AEE13C3FA04B32BB69DBC256AD0A04A463B1A9AF6660D10F6E1E769EE14B9CFF6A635502E93AFCD0BFAB29F38F87",
    ),
    // sha256
    (
        "signature_secret",
        &[
            ("param1", "value1"),
            ("param2", "value2"),
            ("timestamp", "1234567890"),
        ],
        "280c4320703dbc98bfa22db676655ed2acfbfe8792b062ff7622e67f1183c287",
    ),
    // md5
    (
        "signature_secret",
        &[
            ("param1", "value1"),
            ("param2", "value2"),
            ("timestamp", "1234567890"),
        ],
        "724c2bf6ca423c36e20631b11d1c5753",
    ),
    // md5
    (
        "signature_secret",
        &[
            ("param1", "value&1"),
            ("param2", "value=2"),
            ("timestamp", "1234567890"),
        ],
        "2bbf0abafb2c55e5af6231513896a2ac",
    ),
    // md5
    (
        "signature_secret",
        &[("param", "value"), ("timestamp", "1234567890")],
        "655a4d0b7f064dff438defc52b012cf5",
    ),
    // md5hash
    (
        "abcde",
        &[("a", "alphabet"), ("b", "bananas"), ("timestamp", "2100")],
        "7d43241108912b32cc315b48ce681acf",
    ),
    // md5
    (
        "abcde",
        &[("a", "alphabet"), ("b", "bananas"), ("timestamp", "2100")],
        "e0afe267aefd6dd18a848c1681517a19",
    ),
    // sha1
    (
        "abcde",
        &[("a", "alphabet"), ("b", "bananas"), ("timestamp", "2100")],
        "b7f749de27b4adcf736cc95c9a7e059a16c85127",
    ),
    // sha256
    (
        "abcde",
        &[("a", "alphabet"), ("b", "bananas"), ("timestamp", "2100")],
        "8d1b0428276b6a070578225914c3502cc0687a454dfbbbb370c76a14234cb546",
    ),
    // sha512
    (
        "abcde",
        &[("a", "alphabet"), ("b", "bananas"), ("timestamp", "2100")],
        "1c834a1f6a377d4473971387b065cb38e2ad6c4869ba77b7b53e207a344e87ba04b456dfc697b371a2d1ce476d01dafd4394aa97525eff23badad39d2389a710",
    ),
    // md5hash
    (
        "abcde",
        &[("a", "alphabet"), ("timestamp", "2100")],
        "a3368bf718ba104dcb392d8877e8eb2b",
    ),
];

fn form(params: &[(&str, &str)], sig: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(params).append_pair("sig", sig).finish()
}

fn json(params: &[(&str, &str)], sig: &str) -> String {
    let mut members: serde_json::Map<String, Value> = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    members.insert("sig".to_owned(), sig.into());
    Value::Object(members).to_string()
}

#[test]
fn every_method_is_known_by_its_length() {
    for (secret, params, sig) in VECTORS {
        for body in [
            form(params, sig),
            json(params, sig),
            form(params, &sig.to_ascii_uppercase()),
            form(params, &sig.to_ascii_lowercase()),
        ] {
            assert_eq!(
                Params::of(body.as_bytes()).verify(secret.as_bytes()),
                Ok(()),
                "{body}"
            );
        }
    }
}

#[test]
fn what_was_altered_does_not_fit() {
    let wrong = Err(SignatureError::Wrong(Wrong::Signature));
    for (secret, params, sig) in VECTORS {
        let verify = |body: &str| Params::of(body.as_bytes()).verify(secret.as_bytes());
        let right = form(params, sig);
        assert_eq!(
            Params::of(right.as_bytes()).verify(b"another secret"),
            wrong
        );
        for altered in [
            format!("{right}&more=1"),
            format!("{right}&timestamp={}", params[0].1),
            form(&params[1..], sig),
            form(params, &sig[..sig.len() - 2]),
            form(params, &format!("{sig}00")),
            form(params, "no hexadecimal"),
            json(params, sig).replacen('{', r#"{"more":["1"],"#, 1),
            json(params, sig).replacen('{', r#"{"sig":"00","#, 1),
        ] {
            assert_eq!(verify(&altered), wrong, "{altered}");
        }
    }
}

#[test]
fn without_a_signature_or_a_secret_nothing_is_judged() {
    for body in ["", "{}", "msisdn=1", r#"{"sig":null}"#, "sig=", "not json"] {
        assert_eq!(
            Params::of(body.as_bytes()).verify(b"secret"),
            Err(SignatureError::Missing),
            "{body}"
        );
    }
    let (_, params, sig) = VECTORS[0];
    assert_eq!(
        Params::of(form(params, sig).as_bytes()).verify(b""),
        Err(SignatureError::Missing)
    );
}

#[test]
fn bytes_are_signed_as_they_were_sent() {
    // The ampersand within the value stands as an underscore in what is signed.
    let expected = hmac::<Hmac<Sha256>>(b"&text=caf\xe9 _ more\xff", b"s");
    let body = format!("text=caf%e9+%26+more%FF&sig={}", hex::encode(expected));
    assert_eq!(Params::of(body.as_bytes()).verify(b"s"), Ok(()));
}
