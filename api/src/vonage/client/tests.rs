//! Against a real server on this machine: axum where Vonage answers, bare sockets where the answer breaks off.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::simulator::{Keys, keys};

const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";

const MESSAGE: OutboundText<'_> = OutboundText {
    template: None,
    channel: Channel::Sms,
    from: "447700900200",
    to: "447700900123",
    text: "Your appointment is on Tuesday #101",
    client_ref: "0195b5e0c0d07cc18c1f0123456789ab-1",
    quoted: None,
    media: None,
};

fn test_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(keys)
}

fn credentials() -> Credentials {
    Credentials {
        application_id: APPLICATION.to_owned(),
        private_key_pem: test_keys().private_key_pem.clone(),
    }
}

fn client(address: SocketAddr) -> Client {
    client_with(address, ClientOptions::default())
}

fn client_with(address: SocketAddr, options: ClientOptions) -> Client {
    Client::new(&format!("http://{address}"), &credentials(), options).unwrap()
}

struct Call {
    path: String,
    headers: HeaderMap,
    body: Value,
}

/// A server that gives every call the same answer and passes the calls on.
async fn vonage(
    answer: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> (SocketAddr, mpsc::UnboundedReceiver<Call>) {
    let (calls, received) = mpsc::unbounded_channel();
    let router = Router::new().fallback(
        move |uri: axum::http::Uri, headers: HeaderMap, body: Bytes| {
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            calls
                .send(Call {
                    path: uri.path().to_owned(),
                    headers,
                    body,
                })
                .unwrap();
            let answer = answer.clone();
            async move { answer() }
        },
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, received)
}

/// A server that does with each connection what it is told.
async fn socket<F: Future<Output = ()> + Send>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
    address
}

/// Reads a request to its end: the body follows the blank line and is JSON.
async fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"}") {
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the client sends a whole request");
        request.extend_from_slice(&buffer[..length]);
    }
}

async fn outcome(status: u16, body: Value) -> SendOutcome {
    let (address, _calls) = vonage(move || {
        (
            StatusCode::from_u16(status).unwrap(),
            axum::Json(body.clone()),
        )
            .into_response()
    })
    .await;
    client(address).send(&MESSAGE).await
}

fn accepted() -> Response {
    (
        StatusCode::ACCEPTED,
        axum::Json(json!({"message_uuid": "m-1"})),
    )
        .into_response()
}

#[tokio::test]
async fn a_text_goes_out_as_vonage_wants_it() {
    let (address, mut calls) = vonage(accepted).await;
    let client = client(address);

    assert_eq!(
        client.send(&MESSAGE).await,
        SendOutcome::Accepted {
            provider_id: Some("m-1".to_owned())
        }
    );
    let call = calls.recv().await.unwrap();
    assert_eq!(call.path, "/v1/messages");
    assert_eq!(call.headers["content-type"], "application/json");
    assert_eq!(
        call.body,
        json!({
            "message_type": "text",
            "channel": "sms",
            "to": "447700900123",
            "from": "447700900200",
            "text": "Your appointment is on Tuesday #101",
            "client_ref": "0195b5e0c0d07cc18c1f0123456789ab-1",
        })
    );

    client
        .send(&OutboundText {
            channel: Channel::Whatsapp,
            quoted: Some("q-1"),
            ..MESSAGE
        })
        .await;
    let call = calls.recv().await.unwrap();
    assert_eq!(call.body["channel"], "whatsapp");
    assert_eq!(call.body["context"], json!({"message_uuid": "q-1"}));
}

#[tokio::test]
async fn the_token_is_kept_and_made_anew_before_it_expires() {
    let (address, mut calls) = vonage(accepted).await;
    let time = Arc::new(AtomicI64::new(1_772_600_000));
    let seconds = Arc::clone(&time);
    let clock: Clock =
        Arc::new(move || DateTime::from_timestamp(seconds.load(Ordering::SeqCst), 0).unwrap());
    let client = client_with(
        address,
        ClientOptions {
            clock,
            ..ClientOptions::default()
        },
    );
    let mut token_at = async |now: i64| {
        time.store(now, Ordering::SeqCst);
        client.send(&MESSAGE).await;
        calls.recv().await.unwrap().headers["authorization"]
            .to_str()
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap()
            .to_owned()
    };

    let start = 1_772_600_000;
    let first = token_at(start).await;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    let key = DecodingKey::from_rsa_pem(test_keys().public_key_pem.as_bytes()).unwrap();
    let claims = jsonwebtoken::decode::<Value>(&first, &key, &validation)
        .unwrap()
        .claims;
    assert_eq!(claims["application_id"], APPLICATION);
    assert_eq!(
        (claims["iat"].as_i64(), claims["exp"].as_i64()),
        (Some(start), Some(start + 900))
    );
    assert!(Uuid::parse_str(claims["jti"].as_str().unwrap()).is_ok());

    assert_eq!(
        token_at(start + 779).await,
        first,
        "kept while it has more than two minutes left"
    );
    let second = token_at(start + 780).await;
    assert_ne!(second, first);
    assert_ne!(
        token_at(start + 100).await,
        second,
        "a token of the future is of no use after the clock was set back"
    );
}

#[tokio::test]
async fn a_refused_token_is_not_used_again() {
    let (address, mut calls) = vonage(|| StatusCode::UNAUTHORIZED.into_response()).await;
    let client = client(address);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        assert_eq!(
            client.send(&MESSAGE).await,
            SendOutcome::Halted {
                reason: HaltReason::Credentials
            }
        );
        tokens.push(calls.recv().await.unwrap().headers["authorization"].clone());
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn any_success_is_an_acceptance() {
    assert_eq!(
        outcome(200, json!({"message_uuid": "m"})).await,
        SendOutcome::Accepted {
            provider_id: Some("m".to_owned())
        }
    );
    for unread in [
        json!({}),
        json!([]),
        json!({"message_uuid": ""}),
        json!({"message_uuid": 5}),
        json!("m"),
    ] {
        assert_eq!(
            outcome(202, unread.clone()).await,
            SendOutcome::Accepted { provider_id: None },
            "{unread}"
        );
    }
    assert_eq!(
        outcome(204, json!(null)).await,
        SendOutcome::Accepted { provider_id: None }
    );
}

#[tokio::test]
async fn a_refusal_tells_why_without_telling_whom_and_what() {
    let refused = outcome(
        422,
        json!({
            "type": "https://developer.vonage.com/api-errors/messages#1150",
            "title": "Invalid params",
            "detail": "The number 447700900123 cannot get “Your appointment is on Tuesday #101”,\nnor +1 2025550143",
            "invalid_parameters": [{"name": "to", "reason": "447700900123 is odd"}, {"name": "x"}, 7],
            "instance": "i",
        }),
    )
    .await;
    assert_eq!(
        refused,
        SendOutcome::Refused {
            code: Some(1150),
            reason: "Invalid params: The number … cannot get “…”, nor +1 ••••••••43 (to: … is odd)"
                .to_owned()
        }
    );
    let SendOutcome::Refused { reason, .. } =
        outcome(422, json!({"title": "x".repeat(5_000)})).await
    else {
        panic!("refused")
    };
    assert_eq!(reason.chars().count(), MAX_REASON_CHARS);
}

#[tokio::test]
async fn the_code_of_a_refusal_stands_in_title_or_type() {
    for (problem, expected) in [
        (
            json!({"title": "1120", "type": "https://developer.vonage.com/api-errors/messages#9"}),
            Some(1120),
        ),
        (json!({"title": 1120}), Some(1120)),
        (
            json!({"title": "Invalid sender", "type": "https://developer.vonage.com/api-errors/messages#1120"}),
            Some(1120),
        ),
        (
            json!({"title": "Not found", "type": "https://developer.vonage.com/api-errors#not-found"}),
            None,
        ),
        (json!(["odd"]), None),
    ] {
        let SendOutcome::Refused { code, .. } = outcome(422, problem.clone()).await else {
            panic!("{problem}")
        };
        assert_eq!(code, expected, "{problem}");
    }
}

#[tokio::test]
async fn each_status_has_its_outcome() {
    for status in [400, 403, 404, 409, 410, 413, 415, 422] {
        assert_eq!(
            outcome(status, json!("no problem object")).await,
            SendOutcome::Refused {
                code: None,
                reason: format!("Vonage answered {status}.")
            }
        );
    }
    for status in [307, 429, 500, 501, 503, 505, 599] {
        assert_eq!(
            outcome(status, json!({})).await,
            SendOutcome::Retry {
                reason: format!("Vonage answered {status}."),
                retry_after: None
            }
        );
    }
    for status in [408, 502, 504, 520, 522, 524] {
        assert_eq!(
            outcome(status, json!({})).await,
            SendOutcome::Uncertain {
                reason: format!("Vonage answered {status}.")
            }
        );
    }
    assert_eq!(
        outcome(402, json!({"title": "Low balance"})).await,
        SendOutcome::Halted {
            reason: HaltReason::Balance
        }
    );
}

#[tokio::test]
async fn a_wished_pause_is_honoured_within_bounds() {
    let now: DateTime<Utc> = "2026-03-04T05:06:07Z".parse().unwrap();
    for (header, expected) in [
        ("7", Some(7)),
        (" 120 ", Some(120)),
        ("999999999", Some(3_600)),
        ("Wed, 04 Mar 2026 05:06:37 GMT", Some(30)),
        ("Wed, 04 Mar 2026 05:00:00 GMT", Some(0)),
        ("-1", None),
        ("soon", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(header).unwrap())]);
        assert_eq!(
            retry_after(&headers, now),
            expected.map(Duration::from_secs),
            "{header}"
        );
    }
    let (address, _calls) =
        vonage(|| (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "3")]).into_response()).await;
    let SendOutcome::Retry { retry_after, .. } = client(address).send(&MESSAGE).await else {
        panic!("retry")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (elsewhere, mut calls_elsewhere) = vonage(accepted).await;
    let target = format!("http://{elsewhere}/v1/messages");
    let (address, _calls) = vonage(move || {
        (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, target.clone())]).into_response()
    })
    .await;
    assert!(matches!(
        client(address).send(&MESSAGE).await,
        SendOutcome::Retry { .. }
    ));
    assert!(calls_elsewhere.try_recv().is_err());
}

#[tokio::test]
async fn nobody_there_means_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(matches!(
        client(address).send(&MESSAGE).await,
        SendOutcome::Retry { .. }
    ));
}

#[tokio::test]
async fn no_encryption_means_nothing_was_sent() {
    let (address, mut calls) = vonage(accepted).await;
    let client = Client::new(
        &format!("https://{address}"),
        &credentials(),
        ClientOptions::default(),
    )
    .unwrap();
    assert!(matches!(
        client.send(&MESSAGE).await,
        SendOutcome::Retry { .. }
    ));
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_leaves_it_uncertain() {
    let after_the_request = socket(async |mut stream| read_request(&mut stream).await).await;
    let within_the_headers = socket(async |mut stream| {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 202 Acc").await.unwrap();
    })
    .await;
    let with_nonsense = socket(async |mut stream| {
        read_request(&mut stream).await;
        stream.write_all(b"SMTP ready\r\n\r\n").await.unwrap();
    })
    .await;
    for address in [after_the_request, within_the_headers, with_nonsense] {
        let outcome = client(address).send(&MESSAGE).await;
        assert!(
            matches!(outcome, SendOutcome::Uncertain { .. }),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_its_body_counts_by_its_status() {
    for (line, expected) in [
        ("202 Accepted", SendOutcome::Accepted { provider_id: None }),
        (
            "422 Unprocessable",
            SendOutcome::Refused {
                code: None,
                reason: "Vonage answered 422.".to_owned(),
            },
        ),
    ] {
        let address = socket(move |mut stream| async move {
            read_request(&mut stream).await;
            let start =
                format!("HTTP/1.1 {line}\r\ncontent-length: 100\r\n\r\n{{\"message_uuid\":");
            stream.write_all(start.as_bytes()).await.unwrap();
        })
        .await;
        assert_eq!(client(address).send(&MESSAGE).await, expected);
    }
}

#[tokio::test]
async fn silence_leaves_it_uncertain() {
    let address = socket(async |mut stream| {
        read_request(&mut stream).await;
        // Waits for the client to hang up.
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    })
    .await;
    let options = ClientOptions {
        total_timeout: Duration::from_millis(150),
        ..ClientOptions::default()
    };
    assert_eq!(
        client_with(address, options).send(&MESSAGE).await,
        SendOutcome::Uncertain {
            reason: "Vonage did not answer in time.".to_owned()
        }
    );
}

#[test]
fn only_encrypted_addresses_or_this_machine() {
    let judge = |base_url: &str| {
        Client::new(base_url, &credentials(), ClientOptions::default())
            .map(|client| client.url.to_string())
    };
    for (base_url, expected) in [
        ("https://api.nexmo.com", "https://api.nexmo.com/v1/messages"),
        (
            "https://api.nexmo.com/",
            "https://api.nexmo.com/v1/messages",
        ),
        (
            " https://gateway.example.com/vonage/ ",
            "https://gateway.example.com/vonage/v1/messages",
        ),
        ("http://127.0.0.1:8089", "http://127.0.0.1:8089/v1/messages"),
        ("http://localhost:8089", "http://localhost:8089/v1/messages"),
        ("http://[::1]:8089", "http://[::1]:8089/v1/messages"),
    ] {
        assert_eq!(judge(base_url).unwrap(), expected);
    }
    for insecure in [
        "http://api.nexmo.com",
        "http://localhost.example.com",
        "http://192.0.2.1",
        "http://127.0.0.1.example.com",
    ] {
        assert!(
            matches!(judge(insecure), Err(ClientError::Insecure)),
            "{insecure}"
        );
    }
    for odd in [
        "",
        "api.nexmo.com",
        "ftp://api.nexmo.com",
        "https://user:pass@api.nexmo.com",
        "https://api.nexmo.com/?a=b",
        "https://api.nexmo.com/#a",
        "file:///etc",
    ] {
        assert!(matches!(judge(odd), Err(ClientError::Url)), "{odd}");
    }
}

#[test]
fn useless_credentials_are_found_out_without_a_call() {
    assert_eq!(credentials().check(), Ok(()));
    assert_eq!(
        Credentials {
            application_id: " ".to_owned(),
            ..credentials()
        }
        .check(),
        Err(CredentialsError::ApplicationId)
    );
    let private = test_keys().private_key_pem.expose_secret();
    for pem in [
        "",
        "no key",
        &test_keys().public_key_pem,
        &private.replace("PRIVATE", "EC"),
        &private[..private.len() / 2],
    ] {
        let credentials = Credentials {
            private_key_pem: pem.into(),
            ..credentials()
        };
        assert_eq!(
            credentials.check(),
            Err(CredentialsError::PrivateKey),
            "{}",
            pem.len()
        );
        assert!(matches!(
            Client::new(
                "https://api.nexmo.com",
                &credentials,
                ClientOptions::default()
            ),
            Err(ClientError::Credentials(CredentialsError::PrivateKey))
        ));
    }
    assert_eq!(credentials().check(), Ok(()));
}

#[test]
fn no_secret_and_nothing_personal_reaches_a_debug_output() {
    let shown = format!(
        "{:?} {:?} {MESSAGE:?}",
        credentials(),
        client("127.0.0.1:9".parse().unwrap())
    );
    for personal in ["BEGIN", MESSAGE.text, MESSAGE.to] {
        assert!(!shown.contains(personal), "{shown}");
    }
}
