//! A browser without a script: it keeps cookies, follows redirects, and sends the forms that it finds in pages.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use docket::app::{App, Parts, Vonage};
use docket::audit::Audit;
use docket::http::client_address::TrustedProxies;
use docket::media::Media;
use docket::operations::Administrator;
use docket::operations::delivery::{BeginSending, RecordOutcome};
use docket::operations::line::ChangeLine;
use docket::operations::receive::{FreshIds, ReceiveMessage, Received};
use docket::operations::survey::SetSurvey;
use docket::vonage::payload::decode_inbound;
use docket::{console, http, site, users};
use docket_domain::case::News;
use docket_domain::channel::Channel;
use docket_domain::held::HeldBody;
use docket_domain::ids::{ContactId, HeldId, LineId, MessageId, Reference, SurveyId};
use docket_domain::line::{LineCommand, LineSettings};
use docket_domain::survey::{StatusQuestion, SurveySettings};
use docket_domain::user::Role;
use docket_projections::connect::connect_options;
use docket_projections::ledger::operation::Answer as LedgerAnswer;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::rebuild::note_beginning;
use docket_projections::testing::{TestDatabase, database};
use http_body_util::BodyExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) const OUR_NUMBER: &str = "447700900000";
pub(crate) const CUSTOMER: &str = "447700900123";
pub(crate) const PASSWORD: &str = "correct horse battery";

thread_local! {
    static SECONDS: Cell<i64> = const { Cell::new(0) };
    static IDS: Cell<u128> = const { Cell::new(0) };
}

fn clock() -> DateTime<Utc> {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    noon + TimeDelta::seconds(SECONDS.get())
}

pub(crate) fn new_id() -> Uuid {
    IDS.set(IDS.get() + 1);
    Uuid::from_u128(IDS.get())
}

/// Time passes.
pub(crate) fn wait(seconds: i64) {
    SECONDS.set(SECONDS.get() + seconds);
}

/// The console with an owner, an agent and an auditor, a survey and an SMS line.
pub(crate) struct House {
    pub(crate) app: App,
    router: Router,
    pub(crate) line: LineId,
    pub(crate) database: TestDatabase,
}

impl House {
    /// The one contact that there is.
    pub(crate) async fn contact_id(&self) -> ContactId {
        let filter = docket_projections::read::contacts::ListFilter::default();
        let rows = docket_projections::read::contacts::list(&self.app.pool, &filter, None, 2);
        let rows = rows.await.unwrap();
        assert_eq!(rows.len(), 1);
        rows[0].contact_id
    }

    pub(crate) async fn start() -> Self {
        Self::at("http://127.0.0.1").await
    }

    pub(crate) async fn at(public_url: &str) -> Self {
        Self::with(public_url, Vonage::default(), true).await
    }

    /// With these settings of Vonage; without survey and line unless it `is_set_up`.
    pub(crate) async fn with(public_url: &str, vonage: Vonage, is_set_up: bool) -> Self {
        Self::behind("", public_url, vonage, is_set_up).await
    }

    /// The same behind these proxies.
    pub(crate) async fn behind(
        proxies: &str,
        public_url: &str,
        vonage: Vonage,
        is_set_up: bool,
    ) -> Self {
        SECONDS.set(0);
        IDS.set(0);
        let database = database().await;
        let connect = connect_options(&database.url).unwrap();
        note_beginning(&connect, clock()).await.unwrap();
        let options = LedgerOptions {
            writers: 1,
            ..LedgerOptions::new(clock)
        };
        let ledger = Ledger::start(connect, options).await.unwrap();
        let app = App::new(Parts {
            audit: Audit::start(ledger.clone(), clock, new_id),
            ledger,
            pool: database.pool.clone(),
            reports: Arc::default(),
            vonage: Arc::new(vonage),
            media: Media::default(),
            clock,
            new_id,
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            public_url: public_url.into(),
            default_country: None,
            people: Arc::default(),
            proxies: Arc::new(TrustedProxies::parse(proxies).unwrap()),
            stopping: CancellationToken::new(),
        });
        let password = SecretString::from(PASSWORD);
        for role in [Role::Owner, Role::Agent, Role::Auditor] {
            let email = format!("{}@example.com", role.as_str());
            users::add(&app, &email, None, role, Some(&password))
                .await
                .unwrap();
        }
        let line = if is_set_up {
            set_up(&app).await
        } else {
            LineId(Uuid::nil())
        };
        let router = http::observed(console::router(app.clone()), app.new_id);
        let router = site::around(router, &app);
        Self {
            app,
            router,
            line,
            database,
        }
    }

    pub(crate) async fn close(self) {
        self.app.stopping.cancel();
        self.app.audit.close().await;
        self.app.ledger.close().await;
        drop((self.router, self.app));
        self.database.close().await;
    }

    /// The same where national numbers of a country are understood.
    pub(crate) fn in_country(mut self, country: &str) -> Self {
        self.app = App::new(Parts {
            default_country: Some(country.parse().unwrap()),
            ..Parts::clone(&self.app)
        });
        self.router = http::observed(console::router(self.app.clone()), self.app.new_id);
        self
    }

    /// The same with a store of media of its own.
    pub(crate) fn with_media(mut self, media: Media) -> Self {
        self.app = App::new(Parts {
            media,
            ..Parts::clone(&self.app)
        });
        let router = http::observed(console::router(self.app.clone()), self.app.new_id);
        self.router = site::around(router, &self.app);
        self
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser {
            router: self.router.clone(),
            cookies: HashMap::new(),
            peer: None,
            forwarded_for: None,
            forwarded_proto: None,
            host: None,
        }
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    /// A browser of another process on the same database.
    pub(crate) fn in_process(&self, app: &App) -> Browser {
        Browser {
            router: site::around(
                http::observed(console::router(app.clone()), self.app.new_id),
                app,
            ),
            ..self.browser()
        }
    }

    /// Changes a stored secret behind Docket's back.
    pub(crate) async fn spoil_secret(&self, name: &str) {
        docket_projections::testing::spoil_secret(&self.app.pool, name).await;
    }

    /// A browser in which that role is signed in.
    pub(crate) async fn signed_in(&self, role: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.get("/sign-in").await;
        let email = format!("{role}@example.com");
        let page = browser
            .send(
                &page,
                "/sign-in",
                &[("email", &email), ("password", PASSWORD)],
            )
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert!(page.text.contains(&email));
        browser
    }

    /// A customer writes; gives the first case that got it, and the message's id.
    pub(crate) async fn receives(&self, said: &str) -> (u32, MessageId) {
        self.receives_json(&json!({
            "channel": "sms", "message_uuid": new_id(), "to": OUR_NUMBER, "from": CUSTOMER,
            "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": said,
        }))
        .await
    }

    pub(crate) async fn receives_json(&self, body: &Value) -> (u32, MessageId) {
        let body = body.to_string();
        let operation = ReceiveMessage {
            inbound: decode_inbound(body.as_bytes(), docket::ambient::now()).unwrap(),
            body: HeldBody::Text(body),
            ids: FreshIds {
                message_id: MessageId(new_id()),
                contact_id: ContactId(new_id()),
                reply_id: MessageId(new_id()),
                held_id: HeldId(new_id()),
            },
            request_id: None,
        };
        match self.app.ledger.submit(operation).await.unwrap() {
            LedgerAnswer::Done(Received::Routed {
                message_id,
                references,
                ..
            }) => (references[0].get(), message_id),
            other => panic!("not routed: {other:?}"),
        }
    }

    /// The delivery worker sends a message, and this comes of it.
    pub(crate) async fn sends(&self, message_id: MessageId, news: News) {
        let attempt = 1;
        let begin = BeginSending {
            message_id,
            attempt,
        };
        self.app.ledger.submit(begin).await.unwrap();
        let outcome = RecordOutcome {
            message_id,
            attempt,
            news,
        };
        self.app.ledger.submit(outcome).await.unwrap();
    }

    /// The message of ours that a case had last.
    pub(crate) async fn last_reply(&self, reference: u32) -> MessageId {
        use docket_projections::read::thread::{What, page};
        let reference = Reference::new(reference).unwrap();
        let items = page(&self.app.pool, reference, None, 200).await.unwrap();
        let outbound = items.into_iter().rev().find_map(|item| match item.what {
            What::Outbound(message) => Some(message.message_id),
            _ => None,
        });
        outbound.expect("there is a reply")
    }
}

async fn set_up(app: &App) -> LineId {
    let survey_id = SurveyId(new_id());
    let settings = SurveySettings {
        name: "Support".to_owned(),
        cases_enabled: true,
        status: StatusQuestion {
            question: "How far is it?".to_owned(),
            choices: ["New", "In progress", "Resolved"].map(str::to_owned).into(),
            closed_value: "Resolved".to_owned(),
        },
        append_reference: true,
        time_zone: docket_domain::office_hours::TimeZone::default(),
    };
    let by = Administrator::System;
    let survey = SetSurvey {
        survey_id,
        settings,
        create: true,
        seen: None,
        by: by.clone(),
    };
    app.ledger.submit(survey).await.unwrap();
    let line_id = LineId(new_id());
    let command = LineCommand::Add {
        line_id,
        number: OUR_NUMBER.to_owned(),
        channel: Channel::Sms,
        settings: LineSettings {
            survey_id,
            multi_case_reply: None,
            automatic: docket_domain::line::AutomaticTexts::default(),
        },
    };
    app.ledger
        .submit(ChangeLine {
            line_id,
            command,
            by,
        })
        .await
        .unwrap();
    line_id
}

/// A browser without a script.
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: HashMap<String, String>,
    /// The other end of its connections, where that is known.
    pub(crate) peer: Option<IpAddr>,
    /// What a proxy says of where it stands.
    pub(crate) forwarded_for: Option<String>,
    /// What a proxy says of how it was called.
    pub(crate) forwarded_proto: Option<String>,
    /// The host that it asks for.
    pub(crate) host: Option<String>,
}

/// A page, after redirects.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Its address.
    pub(crate) at: String,
}

impl Page {
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        assert!(
            self.text.contains(text),
            "no {text:?} in {}: {}",
            self.at,
            self.text
        );
        self
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) -> &Self {
        assert!(
            !self.text.contains(text),
            "{text:?} in {}: {}",
            self.at,
            self.text
        );
        self
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.at, self.text);
        self
    }

    /// Whether it has a form that leads there, whatever its query.
    pub(crate) fn has_form(&self, action: &str) -> bool {
        self.form(action).is_some()
    }

    /// The form's whole action and what stands inside it.
    fn form(&self, action: &str) -> Option<(String, &str)> {
        self.text.split("<form ").skip(1).find_map(|rest| {
            let form = rest.split("</form>").next()?;
            let to = unescape(form.split("action=\"").nth(1)?.split('"').next()?);
            (to.split('?').next() == Some(action)).then_some((to, form))
        })
    }

    /// The link with that text.
    #[track_caller]
    pub(crate) fn link(&self, beginning: &str) -> String {
        let href = self.text.split("href=\"").skip(1).find_map(|rest| {
            let href = unescape(rest.split('"').next()?);
            href.starts_with(beginning).then_some(href)
        });
        href.unwrap_or_else(|| panic!("no link to {beginning} in {}: {}", self.at, self.text))
    }
}

fn unescape(text: &str) -> String {
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

impl Browser {
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let page = self.once("GET", path, None).await;
        self.follow(page).await
    }

    /// Sends a form of a page, with its hidden fields and these.
    #[track_caller]
    pub(crate) fn filled(page: &Page, action: &str, fields: &[(&str, &str)]) -> (String, String) {
        let (to, form) = page
            .form(action)
            .unwrap_or_else(|| panic!("no form {action} in {}: {}", page.at, page.text));
        let mut pairs: Vec<(String, String)> = form
            .split("<input type=\"hidden\" ")
            .skip(1)
            .map(|input| {
                let of = |name: &str| {
                    let rest = input.split(&format!("{name}=\"")).nth(1).unwrap();
                    unescape(rest.split('"').next().unwrap())
                };
                (of("name"), of("value"))
            })
            .collect();
        for (name, value) in fields {
            pairs.retain(|(other, _)| other != name);
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        (to, pairs.join("&"))
    }

    pub(crate) async fn send(
        &mut self,
        page: &Page,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let (to, body) = Self::filled(page, action, fields);
        self.post(&to, &body).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Page {
        let page = self.once("POST", path, Some(body)).await;
        self.follow(page).await
    }

    async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..5 {
            if page.status != StatusCode::SEE_OTHER {
                return page;
            }
            let to = page.headers["location"].to_str().unwrap().to_owned();
            page = self.once("GET", &to, None).await;
        }
        panic!("redirects without an end at {}", page.at)
    }

    /// Sends a form of a page as browsers send one with files; `file` is a field's name and what stands in its file.
    pub(crate) async fn send_file(
        &mut self,
        page: &Page,
        action: &str,
        fields: &[(&str, &str)],
        file: (&str, &str),
    ) -> Page {
        use std::fmt::Write as _;
        let (to, _) = Self::filled(page, action, fields);
        let csrf = Self::hidden(page, action, "csrf");
        let from = Self::hidden(page, action, "from");
        let mut body = String::new();
        for (name, value) in [("csrf", csrf.as_str()), ("from", from.as_str())]
            .iter()
            .chain(fields)
        {
            write!(
                body,
                "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .unwrap();
        }
        let (name, content) = file;
        write!(body, "--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"private.key\"\r\nContent-Type: application/octet-stream\r\n\r\n{content}\r\n--edge--\r\n").unwrap();
        let media_type = "multipart/form-data; boundary=edge";
        let page = self
            .typed("POST", &to, (media_type, &[]), Some(&body))
            .await;
        self.follow(page).await
    }

    /// Sends a form with a file that is put together already, as a script does.
    pub(crate) async fn uploads(&mut self, path: &str, body: &str) -> Page {
        let media_type = "multipart/form-data; boundary=edge";
        self.typed("POST", path, (media_type, &[]), Some(body))
            .await
    }

    fn hidden(page: &Page, action: &str, name: &str) -> String {
        let (_, form) = page.form(action).unwrap();
        let marked = format!("name=\"{name}\" value=\"");
        let rest = form.split(&marked).nth(1).unwrap_or_default();
        unescape(rest.split('"').next().unwrap())
    }

    /// The answer to `GET /live`, as it comes.
    pub(crate) async fn live(&self, path: &str, last_event_id: Option<&str>) -> Body {
        let cookie = format!("docket_session={}", self.cookies["docket_session"]);
        let mut request = Request::builder().uri(path).header("cookie", cookie);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body()
    }

    /// The headers of an answer to a browser that takes compressed ones.
    pub(crate) async fn compressed(&self, path: &str) -> HeaderMap {
        let cookie = format!("docket_session={}", self.cookies["docket_session"]);
        let request = Request::builder()
            .uri(path)
            .header("cookie", cookie)
            .header("accept-encoding", "gzip, br");
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.headers().clone()
    }

    /// What the script of an open page asks for when something has changed.
    pub(crate) async fn refresh(&mut self, path: &str) -> Page {
        self.with_headers("GET", path, &[("docket-live", "shown")], None)
            .await
    }

    /// One request, without following where it leads.
    pub(crate) async fn once(&mut self, method: &str, path: &str, body: Option<&str>) -> Page {
        let media_type = "application/x-www-form-urlencoded";
        self.typed(method, path, (media_type, &[]), body).await
    }

    /// One request with headers of its own.
    pub(crate) async fn with_headers(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Page {
        let media_type = "application/x-www-form-urlencoded";
        self.typed(method, path, (media_type, headers), body).await
    }

    async fn typed(
        &mut self,
        method: &str,
        path: &str,
        (media_type, headers): (&str, &[(&str, &str)]),
        body: Option<&str>,
    ) -> Page {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::builder()
            .method(method)
            .uri(path.split('#').next().unwrap())
            .header("cookie", cookies.join("; "))
            .header(
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
            );
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let own = [
            ("x-forwarded-for", &self.forwarded_for),
            ("x-forwarded-proto", &self.forwarded_proto),
            ("host", &self.host),
        ];
        let request = own
            .into_iter()
            .fold(request, |request, (name, value)| match value {
                Some(value) => request.header(name, value),
                None => request,
            });
        let request = match self.peer {
            Some(peer) => request.extension(ConnectInfo(SocketAddr::new(peer, 4_711))),
            None => request,
        };
        let request = match body {
            Some(body) => request
                .header("content-type", media_type)
                .body(Body::from(body.to_owned())),
            None => request.body(Body::empty()),
        };
        self.answer(request.unwrap(), path).await
    }

    /// A form of any type and any bytes.
    pub(crate) async fn sends_bytes(
        &mut self,
        method: &str,
        path: &str,
        media_type: Option<&str>,
        body: &[u8],
    ) -> Page {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", cookies.join("; "));
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let request = request.body(Body::from(body.to_vec())).unwrap();
        self.answer(request, path).await
    }

    async fn answer(&mut self, request: Request<Body>, path: &str) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            match rest.split(';').next().unwrap() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        Page {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
            at: path.to_owned(),
        }
    }
}
