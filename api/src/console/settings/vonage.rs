//! `/vonage`: what Vonage knows us by, the addresses of the webhooks, and a test that sends nothing.

use std::net::IpAddr;

use axum::extract::{Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::event::{Event, StreamId};
use docket_domain::installation::{InstallationError, InstallationEvent, SecretChange};
use docket_domain::text::normalise;
use docket_projections::read::{installation, lines};
use docket_projections::secrets::SealedSecret;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::setup::{self, Body};
use super::since::{self, Comparison, Past, Since};
use super::{FROM_SETUP, Query, Refusal, Tab, ask, is_from_setup};
use crate::app::App;
use crate::console::case::line_name;
use crate::console::pages::{Choice, Frame, When};
use crate::console::session::{KEY_FILE, Posted, Session};
use crate::console::unsent::AsShown;
use crate::console::{Console, Failed, go, page, place, words};
use crate::operations::Administrator;
use crate::operations::installation::{ChangeVonage, Entry};
use crate::secrets::{PRIVATE_KEY, SIGNATURE_SECRET};
use crate::vonage::client::{Client, ClientError, ClientOptions, Credentials, Trial};
use crate::vonage::private_key::{self, KeyError};
use crate::vonage_settings::{self, Source};

/// The longest signature secret, in characters; Vonage's have some dozens.
const MAX_SECRET_CHARS: usize = 1_000;

/// One of Vonage's settings, as the page tells it.
pub(super) struct Setting {
    /// Where it comes from, in words.
    pub(super) state: &'static str,
    /// Whether it is there and can be used.
    pub(super) is_there: bool,
    /// Whether it stands in the configuration, so that nothing can be entered.
    pub(super) is_configured: bool,
    /// Whether something is stored that can be removed.
    pub(super) is_stored: bool,
}

impl Setting {
    const fn of(source: Source, is_secret: bool) -> Self {
        Self {
            state: words::source(source, is_secret),
            is_there: source.is_there(),
            is_configured: matches!(source, Source::Configured),
            is_stored: matches!(source, Source::Entered | Source::Unreadable),
        }
    }
}

/// All that the page shows of Vonage.
pub(super) struct VonageForm {
    pub(super) from: &'static str,
    pub(super) refusal: String,
    /// The version that it was made from.
    pub(super) version: u64,
    /// What somebody else has changed since an earlier one was made.
    pub(super) since: Option<Since>,
    /// The application's id in use.
    pub(super) application_id: String,
    pub(super) id: Setting,
    pub(super) signature_secret: Setting,
    pub(super) private_key: Setting,
    /// Whether secrets can be stored.
    pub(super) can_store: bool,
    pub(super) changed: Option<(String, When)>,
    pub(super) inbound_url: String,
    pub(super) status_url: String,
    /// Whether Vonage can reach those addresses, as far as they show it.
    pub(super) is_reachable: bool,
    /// Whether there is something to be tested.
    pub(super) can_test: bool,
    /// What came of a test, and whether it was good.
    pub(super) tested: Option<(String, bool)>,
    pub(super) halted: Vec<Choice>,
}

#[derive(askama::Template)]
#[template(path = "console/vonage.html")]
struct Vonage {
    frame: Frame,
    tab: Tab,
    form: VonageForm,
}

/// All that the page shows, as things are.
pub(super) async fn form(app: &App, tested: &str) -> Result<VonageForm, Failed> {
    // Another process may have taken over what this one has not seen yet.
    vonage_settings::refresh(app).await?;
    let now = (app.clock)();
    let sources = app.vonage.settings.sources();
    let row = installation::find(&app.pool).await?;
    let all_lines = lines::all(&app.pool).await?;
    let halted = all_lines
        .iter()
        .filter(|line| line.halted.is_some())
        .map(|line| Choice {
            name: line_name(&line.number, line.channel),
            value: format!("/lines/{}", line.line_id),
            is_current: false,
        });
    let application_id = app.vonage.application_id.load();
    Ok(VonageForm {
        from: "",
        refusal: String::new(),
        version: row.as_ref().map_or(0, |row| row.version),
        since: None,
        application_id: application_id
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        id: Setting::of(sources.application_id, false),
        signature_secret: Setting::of(sources.signature_secret, true),
        private_key: Setting::of(sources.private_key, true),
        can_store: app.vonage.settings.key().is_some(),
        changed: row.map(|row| {
            let by = row.changed_by.as_ref().map(|by| by.as_str());
            (words::last_changed(by), When::of(row.changed_at, now))
        }),
        inbound_url: format!("{}/webhooks/vonage/inbound", app.public_url),
        status_url: format!("{}/webhooks/vonage/status", app.public_url),
        is_reachable: is_public(&app.public_url),
        can_test: app.vonage.client.load().is_some(),
        tested: outcome(tested),
        halted: halted.collect(),
    })
}

/// The same on the page of set-up, which it leads back to.
pub(super) async fn form_for_setup(app: &App, tested: &str) -> Result<VonageForm, Failed> {
    Ok(VonageForm {
        from: FROM_SETUP,
        ..form(app, tested).await?
    })
}

/// Whether all is there that Vonage needs to know us.
pub(super) fn is_set_up(app: &App) -> bool {
    app.vonage.client.load().is_some() && app.vonage.signature_secret.load().is_some()
}

/// Whether an address is one that Vonage can reach, as far as it shows that by itself.
fn is_public(public_url: &str) -> bool {
    let Ok(url) = Url::parse(public_url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback() || address.is_unspecified());
    url.scheme() == "https" && !is_local
}

/// What came of a test, as an address says it.
fn code(trial: Trial) -> String {
    match trial {
        Trial::Accepted => "accepted".to_owned(),
        Trial::NoBalance => "no-balance".to_owned(),
        Trial::Refused => "refused".to_owned(),
        Trial::Unreachable => "unreachable".to_owned(),
        Trial::Unclear { status } => status.to_string(),
    }
}

/// What an address says came of a test, in words, and whether it is good.
fn outcome(code: &str) -> Option<(String, bool)> {
    let trial = match code {
        "accepted" => Trial::Accepted,
        "no-balance" => Trial::NoBalance,
        "refused" => Trial::Refused,
        "unreachable" => Trial::Unreachable,
        status => Trial::Unclear {
            status: status.parse().ok().filter(|status| *status < 1_000)?,
        },
    };
    Some((words::trial(trial), trial == Trial::Accepted))
}

/// The page.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let template = Vonage {
        frame: query.frame(&app, &session),
        tab: Tab::Vonage,
        form: form(&app, &query.tested).await?,
    };
    Ok(page(StatusCode::OK, &template))
}

/// Changes what is stored.
pub(super) async fn change(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    // What is shown is what is judged, also where another process has changed it meanwhile.
    vonage_settings::refresh(&app).await?;
    let seen = since::seen(&posted);
    let mut changed = match read(&app, &session, &posted) {
        Ok(operation) => ask(&app, operation, in_words).await,
        Err(refusal) => Err(refusal),
    };
    let mut outrun = None;
    if let (Err(Refusal { status, .. }), Some(seen)) = (&changed, seen)
        && *status == StatusCode::CONFLICT
    {
        outrun = past(&app, seen).await?;
    }
    // A person who has entered secrets and sends the same page once more is outrun by nobody.
    let is_own = |past: &Past<Told>| {
        let (was, newest) = (past.was(), past.newest());
        past.is_all_by(&session.email) && was.application_id == newest.application_id
    };
    if outrun.as_ref().is_some_and(is_own)
        && let Ok(operation) = read(&app, &session, &posted)
    {
        let row = installation::find(&app.pool).await?;
        let seen = row.map(|row| row.version);
        changed = ask(&app, ChangeVonage { seen, ..operation }, in_words).await;
    }
    match changed {
        Ok(()) => {
            vonage_settings::refresh(&app).await?;
            // In the set-up, the addresses of the webhooks and the test come next.
            let to = if is_from_setup(&posted) {
                "/setup?step=vonage&done=vonage"
            } else {
                "/vonage?done=vonage"
            };
            Ok(go(to))
        }
        Err(Refusal { status, sentence }) => {
            let mut form = form(&app, "").await?;
            form.refusal = sentence;
            let is_compared = outrun.is_some();
            if let Some(past) = outrun {
                compare(past, &posted, &mut form);
            } else if !form.id.is_configured {
                posted
                    .field("application_id")
                    .clone_into(&mut form.application_id);
            }
            if is_from_setup(&posted) {
                form.from = FROM_SETUP;
                return setup::refused(&app, &session, status, Body::Vonage(Box::new(form))).await;
            }
            let template = Vonage {
                frame: Frame::of(&app, &session),
                tab: Tab::Vonage,
                form,
            };
            let mut answer = page(status, &template);
            if is_compared {
                answer.extensions_mut().insert(AsShown);
            }
            Ok(answer)
        }
    }
}

/// Vonage's settings as events tell them: of the secrets only how often each was changed.
#[derive(Clone, Default)]
struct Told {
    application_id: String,
    signature_secret: usize,
    private_key: usize,
}

/// The settings that a form was made from, and who has changed them since.
async fn past(app: &App, seen: u64) -> Result<Option<Past<Told>>, Failed> {
    let mut told = Told::default();
    let settings = |event: &Event| {
        let Event::Installation(InstallationEvent::VonageChanged {
            application_id,
            signature_secret,
            private_key,
        }) = event
        else {
            return None;
        };
        told.application_id = application_id.clone().unwrap_or_default();
        told.signature_secret += usize::from(*signature_secret != SecretChange::Kept);
        told.private_key += usize::from(*private_key != SecretChange::Kept);
        Some(told.clone())
    };
    let initial = Some(Told::default());
    since::past_from(app, StreamId::Installation, seen, initial, settings).await
}

/// Puts what somebody else has changed into the form. Secrets that were typed are not in it again.
fn compare(past: Past<Told>, posted: &Posted, form: &mut VonageForm) {
    let now = past.newest().clone();
    let typed = Told {
        application_id: posted.field("application_id").trim().to_owned(),
        ..past.was().clone()
    };
    let mut with = Comparison::with(past);
    form.application_id = with.field(
        words::VONAGE_APPLICATION_ID,
        |told: &Told| told.application_id.clone(),
        &now,
        &typed,
        |text| since::text(text),
    );
    let secret = |_: &usize| words::VONAGE_ANOTHER_SECRET.to_owned();
    with.field(
        words::VONAGE_SIGNATURE_SECRET,
        |told| told.signature_secret,
        &now,
        &typed,
        secret,
    );
    with.field(
        words::VONAGE_PRIVATE_KEY,
        |told| told.private_key,
        &now,
        &typed,
        secret,
    );
    form.since = Some(with.end());
}

fn in_words(error: &InstallationError) -> String {
    match error {
        InstallationError::ApplicationId => words::VONAGE_APPLICATION_ID_WRONG.to_owned(),
        InstallationError::ChangedSince { .. } => words::VONAGE_CHANGED.to_owned(),
    }
}

/// What a form asks for.
fn read(app: &App, session: &Session, posted: &Posted) -> Result<ChangeVonage, Refusal> {
    let sources = app.vonage.settings.sources();
    let application_id = match (
        sources.application_id,
        &*normalise::typed(posted.field("application_id")),
    ) {
        (Source::Configured, _) => Entry::Keep,
        (_, "") => Entry::Remove,
        (_, id) => Entry::Set(id.to_owned()),
    };
    let signature_secret = Entered {
        value: normalise::without_ends(posted.field("signature_secret")),
        is_removed: posted.field("remove_signature_secret") == "yes",
        source: sources.signature_secret,
    };
    if !is_secret(signature_secret.value) {
        return Err(Refusal::of_value(words::VONAGE_SECRET_WRONG));
    }
    let from_file = posted.field(KEY_FILE).trim();
    let from_text = posted.field("key_text").trim();
    let private_key = Entered {
        value: if from_file.is_empty() {
            from_text
        } else {
            from_file
        },
        is_removed: posted.field("remove_private_key") == "yes",
        source: sources.private_key,
    };
    let pem = match private_key.value {
        "" => None,
        text => Some(read_key(app, text)?),
    };
    let private_key = Entered {
        value: pem.as_ref().map_or("", |pem| pem.expose_secret()),
        ..private_key
    };
    Ok(ChangeVonage {
        application_id,
        signature_secret: signature_secret.entry(app, SIGNATURE_SECRET)?,
        private_key: private_key.entry(app, PRIVATE_KEY)?,
        seen: since::seen(posted),
        // Without an idempotency key: it would hold a hash that is made from the secrets. Sent twice, the same is set twice.
        by: Administrator::User(crate::operations::Asked {
            idempotency: None,
            ..posted.asked(session)
        }),
    })
}

fn is_secret(text: &str) -> bool {
    text.chars().count() <= MAX_SECRET_CHARS && !text.chars().any(char::is_control)
}

/// The key that was entered, in PEM, where a client can be made with it.
fn read_key(app: &App, text: &str) -> Result<SecretString, Refusal> {
    let refused = |error: KeyError| Refusal::of_value(words::sentence(&error.to_string()));
    let private_key_pem = private_key::read(text.as_bytes()).map_err(refused)?;
    let credentials = Credentials {
        // Any will do: the key is what is tried.
        application_id: "any".to_owned(),
        private_key_pem: private_key_pem.clone(),
    };
    let api_url = app.vonage.settings.api_url();
    match Client::new(api_url, &credentials, ClientOptions::default()) {
        Ok(_) => Ok(private_key_pem),
        Err(ClientError::Credentials(_)) => Err(refused(KeyError::NoKey)),
        Err(_) => Err(Refusal::of_value(words::VONAGE_ADDRESS_WRONG)),
    }
}

/// A secret of the form.
struct Entered<'a> {
    /// Empty where the one that is stored stays.
    value: &'a str,
    is_removed: bool,
    source: Source,
}

impl Entered<'_> {
    fn entry(&self, app: &App, name: &'static str) -> Result<Entry<SealedSecret>, Refusal> {
        if self.source == Source::Configured {
            return Ok(Entry::Keep);
        }
        if self.value.is_empty() {
            return Ok(if self.is_removed {
                Entry::Remove
            } else {
                Entry::Keep
            });
        }
        let Some(key) = app.vonage.settings.key() else {
            return Err(Refusal::of_value(words::VONAGE_NO_SECRET_KEY));
        };
        Ok(Entry::Set(key.seal(name, &SecretString::from(self.value))))
    }
}

/// Tries the credentials, without sending anything.
pub(super) async fn test(
    State(Console { app, .. }): State<Console>,
    _: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    vonage_settings::refresh(&app).await?;
    let path = if is_from_setup(&posted) {
        "/setup"
    } else {
        "/vonage"
    };
    let mut said = vec![];
    let client = app.vonage.client.load_full();
    let code = match client {
        Some(client) => code(client.try_credentials().await),
        None => String::new(),
    };
    if !code.is_empty() {
        said.push(("tested", code.as_str()));
    }
    if is_from_setup(&posted) {
        said.push(("step", "vonage"));
    }
    Ok(go(&place::with_query(path, &said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_on_the_internet_are_for_vonage() {
        assert!(is_public("https://docket.example.com"));
        for local in [
            "http://docket.example.com",
            "https://localhost:8080",
            "https://127.0.0.1",
            "https://[::1]:8080",
            "https://0.0.0.0",
            "nonsense",
        ] {
            assert!(!is_public(local), "{local}");
        }
    }

    #[test]
    fn every_outcome_of_a_test_is_told_by_its_code() {
        let unclear = Trial::Unclear { status: 503 };
        for trial in [
            Trial::Accepted,
            Trial::NoBalance,
            Trial::Refused,
            Trial::Unreachable,
            unclear,
        ] {
            let (said, is_good) = outcome(&code(trial)).unwrap();
            assert_eq!(said, words::trial(trial));
            assert_eq!(is_good, trial == Trial::Accepted);
        }
        for nonsense in ["", "yes", "10000", "-1"] {
            assert!(outcome(nonsense).is_none(), "{nonsense}");
        }
    }
}
