//! Vectors published with Vonage's own SDKs, vectors made with an independent implementation, and forgeries.

use super::*;

/// A token published without its body: only its signature can be judged.
struct Published {
    source: &'static str,
    token: &'static str,
    secret: &'static str,
    wrong_secret: &'static str,
}

const PUBLISHED: [Published; 3] = [
    Published {
        source: "Vonage/vonage-ruby-sdk test/vonage/test.rb sample_webhook_token",
        token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE1ODc0OTQ5NjIsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImQ2YzBlNzRiNTg1N2RmMjBlM2I3ZTUxYjMwYzBjMmE0MGVjNzNhNzc4NzliNmYwNzRkZGM3YTIzMTdkZDAzMWIiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4OWFiIn0.JQRKi1d0SQitmjPINfTWMpt3XZkGsLbD7EjCdXoNSbk",
        secret: "ZYtdTtGV3BCFN7tWmOWr1md66XsquMggr4W2cTtXtcPgfnI0Xw",
        wrong_secret: "ZYtdTtGV3BCFN7tWmOWr1md66XsquMggr4W2cTtXtcPgf55555",
    },
    Published {
        source: "Vonage/vonage-java-sdk MessagesClientTest.testVerifySignature",
        token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJTaW5hIiwibmFtZSI6IkphdmFfU0RLIiwiaWF0IjoxNjk4NjgwMzkyfQ.4qJpi46NSYURiLI1xoLIfGRygA8IUI2QSG9P2Kus1Oo",
        secret: "XsA09z2MhUxYcdbXaUX3aTT7TzGmnCLfkdILf0NIyC9hN9criTEUdlI3OZ5hRjR",
        wrong_secret: "asdf",
    },
    Published {
        source: "Vonage/vonage-python-sdk jwt/tests/test_verify_jwt.py",
        token: "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJPbmxpbmUgSldUIEJ1aWxkZXIiLCJpYXQiOjE2OTc2MzQ2ODAsImV4cCI6MzMyNTQ1NDA4MjgsImF1ZCI6IiIsInN1YiI6IiJ9.88vJc3I2HhuqEDixHXVhc9R30tA6U_HQHZTC29y6CGM",
        secret: "qwertyuiopasdfghjklzxcvbnm123456",
        wrong_secret: "asdf",
    },
];

/// A whole webhook, signed by `PyJWT` and accepted by Vonage's package `vonage-jwt`.
struct Signed {
    token: &'static str,
    body: &'static str,
}

const SECRET: &[u8] = b"ZYtdTtGV3BCFN7tWmOWr1md66XsquMggr4W2cTtXtcPgfnI0Xw";
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";

const SIGNED: [Signed; 3] = [
    Signed {
        token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3Mzg1ODQ4NjUsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6IjZjYzlmYjcxMDNmOWRlMjhiOWM2ZDg2MDVmOGEyMjg5YjQ4NDVkYjM4ZTJkM2VhZGRmYjA2Yzk3NjdjYmI4MjUiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4OWFiIn0.kfs7WM9vX88pRHTBxE1WDNDmqGfWOnBpQsPu114Rrvk",
        body: r#"{"channel":"sms","message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","to":"447700900000","from":"447700900001","timestamp":"2025-02-03T12:14:25Z","text":"Hello From Vonage!","sms":{"num_messages":"2","keyword":"HELLO"},"usage":{"currency":"EUR","price":"0.0333"},"origin":{"network_code":"12345"}}"#,
    },
    Signed {
        token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3Mzg1ODQ4NjUsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImYzY2QwNmQ5MzZlODgwYWMwY2M0OGMyNDYwM2MyZjI2N2U0Y2IzZGJlZGQzYjJhYTIxZThiNGYzNzIwYzgwZWIiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4OWFiIn0.Q-I6-N9iAFImqZM6KkTTwPJYQUEji4SVh2byjrq9aN0",
        body: r#"{"channel":"whatsapp","message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","to":"447700900000","from":"447700900001","timestamp":"2025-02-03T12:14:25Z","profile":{"name":"Jane Smith"},"context_status":"available","context":{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","message_from":"447700900000"},"provider_message":"string","message_type":"text","text":"Hello from Vonage!","whatsapp":{"referral":{"body":"Check out our new product offering","headline":"New Products!","source_id":"212731241638144","source_type":"post","source_url":"https://fb.me/2ZulEu42P","media_type":"image","image_url":"https://example.com/image.jpg","video_url":"https://example.com/video.mp4","thumbnail_url":"https://example.com/thumbnail.jpg","ctwa_clid":"1234567890"}},"_self":{"href":"https://api-eu.vonage.com/v1/messages/aaaaaaa-bbbb-4ccc-8ddd-0123456789ab"}}"#,
    },
    Signed {
        token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3Mzg1ODQ4NjUsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImM4Yjc0N2UyOWYxMDY0ODNkNmU3MjlkNDU3Y2ZiMmQzMjllMzA0ODBkMGIxZGMxYWI2MjQ1NjBmYmUzM2NjMjEiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4OWFiIn0.-sMsq0aXzMfRgkK9ueb9d6qISh_4AYcE6ZoAVTFb16U",
        body: r#"{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","to":"447700900000","from":"447700900001","timestamp":"2025-02-03T12:14:25Z","status":"submitted","error":{"type":"https://developer.vonage.com/api-errors/messages#1000","title":"1000","detail":"Throttled - You have exceeded the submission capacity allowed on this account. Please wait and retry","instance":"bf0ca0bf927b3b52e3cb03217e1a1ddf"},"client_ref":"abc123","workflow":{"workflow_id":"3TcNjguHxr2vcCZ9Ddsnq6tw8yQUpZ9rMHv9QXSxLan5ibMxqSzLdx9","items_number":"1","items_total":"2"},"usage":{"currency":"EUR","price":"0.0333"},"channel":"sms","destination":{"network_code":"12345"},"sms":{"count_total":"2"}}"#,
    },
];

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Signs with HMAC-SHA256 whatever header and claims say.
fn forge(header: &str, claims: &str, secret: &[u8]) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let mut mac = HmacSha256::new_from_slice(secret).unwrap();
    mac.update(signed.as_bytes());
    format!(
        "Bearer {signed}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn claims_for(body: &[u8]) -> String {
    format!(
        r#"{{"iat":1738584865,"payload_hash":"{}"}}"#,
        hex::encode(Sha256::digest(body))
    )
}

#[test]
fn published_tokens_fit_their_secret_and_no_other() {
    for Published {
        source,
        token,
        secret,
        wrong_secret,
    } in PUBLISHED
    {
        let judge = |token: &str, secret: &str| {
            verify_token(
                token,
                secret.as_bytes(),
                &mut [0; USUAL_CLAIMS_BYTES],
                &mut Vec::new(),
            )
            .map(|payload| payload.iat)
        };
        assert!(matches!(judge(token, secret), Ok(Some(_))), "{source}");
        assert_eq!(
            judge(token, wrong_secret),
            Err(Wrong::Signature),
            "{source}"
        );
        let (signed, _) = token.rsplit_once('.').unwrap();
        let others_signature = PUBLISHED
            .iter()
            .find(|other| other.token != token)
            .unwrap()
            .token
            .rsplit_once('.')
            .unwrap()
            .1;
        assert_eq!(
            judge(&format!("{signed}.{others_signature}"), secret),
            Err(Wrong::Signature),
            "{source}"
        );
    }
}

#[test]
fn a_published_token_vouches_for_no_body_that_we_could_have() {
    let [ruby, java, _] = PUBLISHED;
    assert_eq!(
        verify(
            Some(&bearer(ruby.token)),
            b"{}",
            ruby.secret.as_bytes(),
            None
        ),
        Err(SignatureError::Wrong(Wrong::PayloadHash))
    );
    assert_eq!(
        verify(
            Some(&bearer(java.token)),
            b"{}",
            java.secret.as_bytes(),
            None
        ),
        Err(SignatureError::Wrong(Wrong::NoPayloadHash))
    );
}

#[test]
fn a_whole_webhook_is_taken_with_its_claims() {
    for Signed { token, body } in SIGNED {
        let claims = verify(
            Some(&bearer(token)),
            body.as_bytes(),
            SECRET,
            Some(APPLICATION),
        )
        .unwrap();
        assert_eq!(claims.iat, Some(1_738_584_865));
        assert_eq!(
            claims.jti.as_deref(),
            Some("c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5")
        );
        assert_eq!(claims.api_key.as_deref(), Some("a1b2c3d"));
        assert_eq!(claims.application_id.as_deref(), Some(APPLICATION));
    }
}

#[test]
fn a_changed_body_is_refused() {
    let Signed { token, body } = &SIGNED[0];
    for tampered in [
        body.replace("Hello", "Hallo"),
        format!("{body} "),
        String::new(),
        SIGNED[1].body.to_owned(),
    ] {
        assert_eq!(
            verify(Some(&bearer(token)), tampered.as_bytes(), SECRET, None),
            Err(SignatureError::Wrong(Wrong::PayloadHash)),
            "{tampered}"
        );
    }
}

#[test]
fn another_secret_is_refused() {
    let Signed { token, body } = &SIGNED[0];
    for secret in [
        b"ZYtdTtGV3BCFN7tWmOWr1md66XsquMggr4W2cTtXtcPgf55555".as_slice(),
        b"x",
        &SECRET[1..],
    ] {
        assert_eq!(
            verify(Some(&bearer(token)), body.as_bytes(), secret, None),
            Err(SignatureError::Wrong(Wrong::Signature))
        );
    }
}

#[test]
fn without_a_signature_or_a_secret_it_is_missing() {
    let Signed { token, body } = &SIGNED[0];
    for authorization in [
        None,
        Some(""),
        Some("   "),
        Some("Bearer"),
        Some("Bearer "),
        Some("Basic dXNlcjpwYXNz"),
        Some(*token),
    ] {
        assert_eq!(
            verify(authorization, body.as_bytes(), SECRET, None),
            Err(SignatureError::Missing),
            "{authorization:?}"
        );
    }
    assert_eq!(
        verify(Some(&bearer(token)), body.as_bytes(), b"", None),
        Err(SignatureError::Missing)
    );
    assert_eq!(
        verify(
            Some(&forge(HEADER, &claims_for(b"{}"), b"")),
            b"{}",
            b"",
            None
        ),
        Err(SignatureError::Missing),
        "an empty secret makes nothing true"
    );
}

#[test]
fn the_scheme_is_read_in_any_case() {
    let Signed { token, body } = &SIGNED[0];
    for authorization in [
        format!("bearer {token}"),
        format!("BEARER  {token} "),
        format!(" Bearer {token}"),
    ] {
        assert!(
            verify(Some(&authorization), body.as_bytes(), SECRET, None).is_ok(),
            "{authorization}"
        );
    }
}

#[test]
fn no_other_algorithm_is_taken() {
    let body = b"{}";
    let claims = claims_for(body);
    for alg in [
        "none", "None", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "",
    ] {
        // Signed well by HMAC-SHA256 all the same: only the header's word is at fault.
        let forged = forge(
            &format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#),
            &claims,
            SECRET,
        );
        assert_eq!(
            verify(Some(&forged), body, SECRET, None),
            Err(SignatureError::Wrong(Wrong::Algorithm)),
            "{alg}"
        );
    }
    let critical = forge(
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        &claims,
        SECRET,
    );
    assert_eq!(
        verify(Some(&critical), body, SECRET, None),
        Err(SignatureError::Wrong(Wrong::Algorithm))
    );

    let unsigned = format!(
        "Bearer {}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(&claims)
    );
    assert_eq!(
        verify(Some(&unsigned), body, SECRET, None),
        Err(SignatureError::Wrong(Wrong::Algorithm))
    );
    let stripped = format!(
        "Bearer {}.{}.",
        URL_SAFE_NO_PAD.encode(HEADER),
        URL_SAFE_NO_PAD.encode(&claims)
    );
    assert_eq!(
        verify(Some(&stripped), body, SECRET, None),
        Err(SignatureError::Wrong(Wrong::Signature))
    );
}

#[test]
fn what_is_no_token_is_wrong() {
    let good = forge(HEADER, &claims_for(b"{}"), SECRET);
    assert!(verify(Some(&good), b"{}", SECRET, None).is_ok());
    let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
    let four_parts = format!("{good}.extra");
    let long_signature = format!("{good}AAAA");
    let long_header = forge(
        &format!(
            r#"{{"alg":"HS256","kid":"{}"}}"#,
            "k".repeat(MAX_HEADER_BYTES)
        ),
        "{}",
        SECRET,
    );
    let no_claims = forge(HEADER, "[]", SECRET);
    for authorization in [
        "Bearer x",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer !!.!!.!!",
        &long,
        &four_parts,
        &long_signature,
        &long_header,
        &no_claims,
    ] {
        assert!(
            matches!(
                verify(Some(authorization), b"{}", SECRET, None),
                Err(SignatureError::Wrong(_))
            ),
            "{authorization}"
        );
    }
}

#[test]
fn the_hash_is_read_in_any_case_and_must_be_whole() {
    let body = b"{\"a\":1}";
    let hash = hex::encode(Sha256::digest(body));
    let judge = |hash: &str| {
        verify(
            Some(&forge(
                HEADER,
                &format!(r#"{{"payload_hash":"{hash}"}}"#),
                SECRET,
            )),
            body,
            SECRET,
            None,
        )
    };
    assert!(judge(&hash).is_ok());
    assert!(judge(&hash.to_uppercase()).is_ok());
    for short in [
        "",
        "00",
        &hash[..62],
        &format!("{hash}00"),
        &hash.replace(|c: char| c.is_ascii_digit(), "g"),
    ] {
        assert_eq!(
            judge(short),
            Err(SignatureError::Wrong(Wrong::PayloadHash)),
            "{short}"
        );
    }
}

#[test]
fn the_application_counts_where_both_name_one() {
    let body = b"{}";
    let params = SignParams {
        iat: 1,
        jti: "j",
        api_key: None,
        application_id: Some(APPLICATION),
    };
    let theirs = sign(body, SECRET, &params);
    assert!(verify(Some(&theirs), body, SECRET, None).is_ok());
    assert!(
        verify(
            Some(&theirs),
            body,
            SECRET,
            Some(&APPLICATION.to_uppercase())
        )
        .is_ok()
    );
    assert_eq!(
        verify(
            Some(&theirs),
            body,
            SECRET,
            Some("bbbbbbbb-bbbb-cccc-dddd-0123456789ab")
        ),
        Err(SignatureError::Wrong(Wrong::Application))
    );
    let nobodys = sign(
        body,
        SECRET,
        &SignParams {
            application_id: None,
            ..params
        },
    );
    assert!(verify(Some(&nobodys), body, SECRET, Some(APPLICATION)).is_ok());
}

#[test]
fn an_old_or_odd_iat_loses_no_message() {
    let body = b"{}";
    let hash = hex::encode(Sha256::digest(body));
    for (iat, read) in [
        ("0", Some(0)),
        ("\"12\"", Some(12)),
        ("1.5", None),
        ("null", None),
        ("[1]", None),
        ("{}", None),
        ("true", None),
    ] {
        let authorization = forge(
            HEADER,
            &format!(r#"{{"iat":{iat},"exp":1,"payload_hash":"{hash}"}}"#),
            SECRET,
        );
        assert_eq!(
            verify(Some(&authorization), body, SECRET, None).map(|claims| claims.iat),
            Ok(read),
            "{iat}"
        );
    }
}

#[test]
fn claims_beyond_the_usual_size_are_read_too() {
    let body = b"{}";
    let jti = "j".repeat(2 * USUAL_CLAIMS_BYTES);
    let authorization = sign(
        body,
        SECRET,
        &SignParams {
            iat: 1,
            jti: &jti,
            api_key: Some("a1b2c3d"),
            application_id: None,
        },
    );
    assert_eq!(
        verify(Some(&authorization), body, SECRET, None)
            .unwrap()
            .jti,
        Some(jti)
    );
}

#[test]
fn our_own_signature_has_the_form_of_a_published_one() {
    let params = SignParams {
        iat: 1_738_584_865,
        jti: "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        api_key: Some("a1b2c3d"),
        application_id: Some(APPLICATION),
    };
    for Signed { token, body } in SIGNED {
        assert_eq!(sign(body.as_bytes(), SECRET, &params), bearer(token));
    }
}
