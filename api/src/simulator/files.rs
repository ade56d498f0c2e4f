//! The files of the simulated account: what customers send, and what it fetched of Docket's answers, as Vonage does.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use docket_domain::case::MediaKind;
use docket_domain::channel::{Channel, normalise_number};
use reqwest::Url;

use super::account::{Account, EntryKind};
use super::{CustomerMessage, webhooks};
use crate::media::store::sniffed;

/// So many files are kept; the oldest go first.
const MAX_FILES: usize = 100;
/// The largest file, in bytes.
const MAX_BYTES: usize = 110 << 20;

/// A file that the account keeps.
#[derive(Clone)]
pub(super) struct KeptFile {
    id: String,
    media_type: String,
    bytes: Bytes,
}

/// The files, oldest first.
#[derive(Default)]
pub(super) struct Files(VecDeque<KeptFile>);

impl Files {
    fn add(&mut self, file: KeptFile) {
        self.0.push_back(file);
        while self.0.len() > MAX_FILES {
            self.0.pop_front();
        }
    }

    fn find(&self, id: &str) -> Option<KeptFile> {
        self.0.iter().find(|file| file.id == id).cloned()
    }
}

pub(super) fn router() -> Router<Arc<Account>> {
    Router::new()
        .route("/simulator/media/{id}", get(serve))
        .route(
            "/send-file",
            post(send_file).layer(DefaultBodyLimit::max(MAX_BYTES)),
        )
}

/// Keeps a file; gives the path below which the account serves it.
pub(super) fn keep(account: &Account, media_type: &str, bytes: Bytes) -> String {
    let id = account.new_id();
    let path = format!("/simulator/media/{id}");
    let file = KeptFile {
        id,
        media_type: media_type.to_owned(),
        bytes,
    };
    account.state().files.add(file);
    path
}

async fn serve(State(account): State<Arc<Account>>, Path(id): Path<String>) -> Response {
    let file = account.state().files.find(&id);
    match file {
        Some(file) => (
            [
                (CONTENT_TYPE, file.media_type),
                (CONTENT_DISPOSITION, "inline".to_owned()),
            ],
            file.bytes,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Fetches what Docket sends, as Vonage does: from the address in the call.
pub(super) async fn fetch(account: &Account, url: &str) -> Result<(String, Bytes), String> {
    let broken = |_| "it could not be fetched".to_owned();
    let answer = account.http.get(url).send().await.map_err(broken)?;
    if !answer.status().is_success() {
        return Err(format!("Docket answered {}", answer.status().as_u16()));
    }
    let media_type = answer
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let bytes = answer.bytes().await.map_err(broken)?;
    Ok((media_type, bytes))
}

/// Sends a file as a customer, from the form of the phone: `from`, `to`, `channel`, `text` and `file`.
async fn send_file(State(account): State<Arc<Account>>, mut form: Multipart) -> Response {
    let (mut from, mut to, mut text) = (String::new(), String::new(), String::new());
    let mut channel = Channel::Sms;
    let mut file = None;
    while let Ok(Some(field)) = form.next_field().await {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let Ok(bytes) = field.bytes().await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let value = || String::from_utf8_lossy(&bytes).into_owned();
        match name.as_str() {
            "from" => from = normalise_number(&value()),
            "to" => to = normalise_number(&value()),
            "text" => text = value().replace("\r\n", "\n"),
            "channel" => channel = Channel::from_name(&value()).unwrap_or(channel),
            "file" if !bytes.is_empty() => file = file_name.map(|name| (name, bytes)),
            _ => {}
        }
    }
    let sent = match file.filter(|_| !from.is_empty() && !to.is_empty()) {
        None => "incomplete",
        Some((name, bytes)) => {
            let media_type = sniffed(&bytes);
            let media = MediaKind::of(channel, media_type);
            let url = keep(&account, media_type, bytes);
            let message = CustomerMessage {
                from: from.clone(),
                to: to.clone(),
                channel,
                kind: EntryKind::File {
                    media: media.as_str().to_owned(),
                    url,
                    name,
                    text,
                },
                quoted: None,
            };
            super::phone::outcome(webhooks::say(&account, message).await.1)
        }
    };
    let parameters = [
        ("from", from.as_str()),
        ("to", &to),
        ("channel", channel.as_str()),
        ("sent", sent),
    ];
    let target = Url::parse_with_params("http://phone.example.com/", parameters)
        .expect("a fixed address is one");
    Redirect::to(&format!("/?{}#write", target.query().unwrap_or_default())).into_response()
}
