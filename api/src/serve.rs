//! The running service: its beginning, its parts and its end.
//!
//! At the end (SIGTERM, Ctrl-C) nothing more is accepted, requests under way are finished, calls to Vonage are waited for, what
//! people looked at is recorded, the ledger does all that waits, and only then the database is let go of.

pub mod metrics;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::{follow, reader};
use docket_projections::{media_claims, watch};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::app::{App, Parts, Vonage};
use crate::audit::Audit;
use crate::config::Config;
use crate::connections::{self, Limits};
use crate::delivery::{Delivery, DeliveryClock};
use crate::evidence::keep::Keeper;
use crate::http::problem::Problem;
use crate::media::Media;
use crate::media::link::LinkKey;
use crate::media::worker::MediaWorker;
use crate::people::People;
use crate::store::Store;
use crate::vonage_settings::VonageSettings;
use crate::{
    activity, ambient, console, housekeeping, http, media, rebuilding, reports, site, snoozes,
    users, vonage_settings, webhooks,
};

/// So many connections wait to be accepted, where the system lets so many: beyond that they are reset.
const BACKLOG: u32 = 4_096;

/// How long requests under way may take at the end; Vonage waits no longer than 15 s itself.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// The pause before a database with another log is opened again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// How long the database may take to say whether it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// A service that runs.
pub struct Service {
    /// What its parts share.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it serves metrics.
    pub metrics_address: Option<SocketAddr>,
    store: Store,
    tasks: Vec<JoinHandle<()>>,
    config: Config,
    /// Stay open while the service begins anew.
    listeners: Listeners,
}

/// The listeners of a service, of which it gets copies.
struct Listeners {
    http: std::net::TcpListener,
    metrics: Option<std::net::TcpListener>,
}

impl Listeners {
    fn new(http: TcpListener, metrics: Option<TcpListener>) -> io::Result<Self> {
        Ok(Self {
            http: http.into_std()?,
            metrics: metrics.map(TcpListener::into_std).transpose()?,
        })
    }

    fn copy(&self) -> io::Result<Self> {
        Ok(Self {
            http: self.http.try_clone()?,
            metrics: self
                .metrics
                .as_ref()
                .map(std::net::TcpListener::try_clone)
                .transpose()?,
        })
    }

    fn http(&self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.http.try_clone()?)
    }

    fn metrics(&self) -> io::Result<Option<TcpListener>> {
        let copy = |listener: &std::net::TcpListener| TcpListener::from_std(listener.try_clone()?);
        self.metrics.as_ref().map(copy).transpose()
    }
}

impl Service {
    /// Starts the service.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do: a port that is taken, a database that cannot be reached.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let listener = listen("DOCKET_LISTEN", config.listen)?;
        let address = listener.local_addr()?;
        let metrics = metrics::listen(config.metrics_listen)?;
        let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
        let listeners = Listeners::new(listener, metrics)?;
        let (store, app, tasks) = Self::open(config, &listeners, address).await?;
        Ok(Self {
            app,
            address,
            metrics_address,
            store,
            tasks,
            config: config.clone(),
            listeners,
        })
    }

    /// Opens the database and starts everything on it.
    async fn open(
        config: &Config,
        listeners: &Listeners,
        address: SocketAddr,
    ) -> anyhow::Result<(Store, App, Vec<JoinHandle<()>>)> {
        let (http, metrics) = (listeners.http()?, listeners.metrics()?);
        let store = Store::open(config).await?;
        match Self::start_on(config, &store, address).await {
            Ok((app, mut tasks)) => {
                tasks.push(spawn_http(&app, http));
                if let Some(listener) = metrics {
                    tasks.push(metrics::spawn(app.clone(), listener));
                }
                Ok((store, app, tasks))
            }
            Err(error) => {
                // The private Postgres must not outlive a start that failed.
                let _ = store.close().await;
                Err(error)
            }
        }
    }

    async fn start_on(
        config: &Config,
        store: &Store,
        address: SocketAddr,
    ) -> anyhow::Result<(App, Vec<JoinHandle<()>>)> {
        let secret_key = store.secret_key(config)?;
        let vonage = Vonage {
            settings: VonageSettings::of(config, secret_key),
            ..Vonage::default()
        };
        let ledger = Ledger::start(store.connect.clone(), LedgerOptions::new(ambient::now))
            .await
            .context("the ledger could not be started")?;
        let link_key = media_claims::link_key(&store.pool())
            .await
            .context("the key of media could not be read")?;
        let media = Media::open(
            &config.media,
            &config.data_dir,
            LinkKey::new(link_key),
            config.public_url.is_some() || config.media.is_reached_directly,
        )?;
        let app = App::new(Parts {
            audit: Audit::start(ledger.clone(), ambient::now, ambient::new_id),
            ledger,
            pool: store.pool(),
            reports: Arc::default(),
            vonage: Arc::new(vonage),
            media,
            clock: ambient::now,
            new_id: ambient::new_id,
            metrics: metrics::handle(),
            public_url: config
                .public_url
                .clone()
                .unwrap_or_else(|| format!("http://{address}"))
                .into(),
            default_country: config.default_country,
            people: Arc::new(People::in_zone(config.time_zone)),
            proxies: Arc::new(config.trusted_proxies.clone()),
            stopping: CancellationToken::new(),
        });
        vonage_settings::refresh(&app)
            .await
            .context("Vonage's settings could not be read")?;
        if let Some((email, password)) = &config.owner {
            // A log from which read models are to be rebuilt is not at its beginning, when the first owner is made.
            if !app.ledger.watch().standing().refuses_work() {
                users::ensure_first_owner(&app, email, password).await?;
            }
        }
        let head = app.ledger.head().clone();
        let tasks = vec![
            tokio::spawn(watch::run(
                store.connect.clone(),
                (app.new_id)(),
                head.subscribe(),
                app.stopping.clone(),
            )),
            tokio::spawn(follow::run(
                app.pool.clone(),
                store.connect.watch().clone(),
                head,
                app.stopping.clone(),
            )),
            tokio::spawn(vonage_settings::follow(app.clone())),
            tokio::spawn(Delivery::new(app.clone(), config.delivery).run()),
            tokio::spawn(MediaWorker::new(app.clone(), DeliveryClock::Database).run()),
            tokio::spawn(rebuilding::run(app.clone(), store.connect.clone())),
            tokio::spawn(Keeper::new(app.clone(), config.checkpoints.clone()).run()),
            tokio::spawn(activity::run(app.clone())),
            tokio::spawn(reports::run(app.clone())),
            tokio::spawn(housekeeping::run(app.clone())),
            tokio::spawn(snoozes::run(app.clone())),
        ];
        Ok((app, tasks))
    }

    /// Waits until the service is told to stop, and then stops it. Where a backup was restored beneath it, it begins anew.
    ///
    /// # Errors
    ///
    /// The private Postgres did not stop.
    pub async fn run_until(mut self, told: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = told.cancelled() => return self.stop().await,
                () = self.app.stopping.cancelled() => return self.stop().await,
                () = self.store.connect.watch().another_log() => {}
            }
            let Self {
                config,
                listeners,
                address,
                ..
            } = &self;
            let (config, listeners, address) = (config.clone(), listeners.copy()?, *address);
            let metrics_address = self.metrics_address;
            self.stop().await?;
            let begun =
                told.run_until_cancelled(Box::pin(begin_anew(&config, &listeners, address)));
            let Some((store, app, tasks)) = begun.await else {
                return Ok(());
            };
            self = Self {
                app,
                address,
                metrics_address,
                store,
                tasks,
                config,
                listeners,
            };
        }
    }

    /// Stops the service, losing nothing that waits.
    ///
    /// # Errors
    ///
    /// The private Postgres did not stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        info!("stopping: finishing what is under way");
        self.app.stopping.cancel();
        let all = async {
            for task in self.tasks {
                // A task that panicked has been logged by the panic itself.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(DRAIN_TIMEOUT + Duration::from_secs(5), all)
            .await
            .is_err()
        {
            warn!("some requests did not end in time and are left");
        }
        self.app.audit.close().await;
        activity::flush(&self.app).await;
        self.app.ledger.close().await;
        self.app.pool.close().await;
        self.store.close().await?;
        info!("stopped");
        Ok(())
    }
}

/// Listens from now on for being told to stop, by SIGTERM or Ctrl-C; gives what is cancelled then. Whoever is told while they
/// start anything finishes that and stops it at once: a private Postgres that is left half started stays behind.
///
/// # Errors
///
/// The system lets nobody listen.
pub fn told_to_stop() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = CancellationToken::new();
    let tell = told.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell.cancel();
    });
    Ok(told)
}

/// Opens the database again after it got another log, as often as it takes: the restore may not have ended. Meanwhile all requests
/// are answered 503.
async fn begin_anew(
    config: &Config,
    listeners: &Listeners,
    address: SocketAddr,
) -> (Store, App, Vec<JoinHandle<()>>) {
    loop {
        let begun = CancellationToken::new();
        let meanwhile = listeners.http().map(|listener| {
            let router = Router::new()
                .route("/healthz", get(|| async { "ok\n" }))
                .fallback(|| async { Problem::unavailable() });
            let proxies = Arc::new(config.trusted_proxies.clone());
            let (limits, begun) = (Limits::default(), begun.clone());
            tokio::spawn(connections::serve(listener, router, limits, proxies, begun))
        });
        let opened = Service::open(config, listeners, address).await;
        begun.cancel();
        if let Ok(meanwhile) = meanwhile {
            // It has nothing to finish that takes time.
            let _ = tokio::time::timeout(REOPEN_PAUSE, meanwhile).await;
        }
        match opened {
            Ok(opened) => {
                info!("Docket has begun anew on the log that the database holds now");
                return opened;
            }
            Err(error) => {
                warn!(
                    error = format!("{error:#}"),
                    "the database cannot be opened yet; trying again"
                );
                tokio::time::sleep(REOPEN_PAUSE).await;
            }
        }
    }
}

/// Listens on an address that a setting names.
///
/// # Errors
///
/// A sentence that names the setting and says what to do.
fn listen(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let port = address.port();
    bind(address).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => format!(
                "another program listens there already; end that one, or choose another port than {port}"
            ),
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address; choose one of its own, or 0.0.0.0 for all".to_owned()
            }
            ErrorKind::PermissionDenied => format!(
                "this user may not listen on port {port}; choose one above 1023"
            ),
            _ => error.to_string(),
        };
        anyhow::anyhow!("{name}: cannot listen on {address}: {why}")
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A process that starts again takes the port of the one before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn spawn_http(app: &App, listener: TcpListener) -> JoinHandle<()> {
    let stopping = app.stopping.clone();
    let proxies = Arc::clone(&app.proxies);
    let router = router(app);
    tokio::spawn(async move {
        let limits = Limits::default();
        let serving = connections::serve(listener, router, limits, proxies, stopping.clone());
        let hard_stop = async {
            stopping.cancelled().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            () = serving => {}
            () = hard_stop => warn!("connections that did not end in time are cut"),
        }
    })
}

/// Every route of the service.
pub fn router(app: &App) -> Router {
    let new_id = app.new_id;
    let health = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(app.clone());
    let readable = middleware::from_fn_with_state(app.clone(), only_if_readable);
    let router = http::router(app.clone())
        .merge(webhooks::router(app.clone()))
        .merge(media::sent::router(app.clone()))
        .layer(readable)
        .merge(health)
        .merge(console::router(app.clone()));
    site::around(webhooks::normalised(http::observed(router, new_id)), app)
}

/// Answers 503 while read models are empty, as after restoring a dump without them: everything that is read from them would be
/// wrong, also who may come in. The console has a page for it.
async fn only_if_readable(State(app): State<App>, request: Request, next: Next) -> Response {
    if app.ledger.watch().standing().is_unreadable() {
        return Problem::unavailable().into_response();
    }
    next.run(request).await
}

/// Whether requests can be answered: the database is there and takes changes, the read models are ours, no newer Docket works beside
/// us, and we are not stopping.
async fn ready(State(app): State<App>) -> (StatusCode, String) {
    let unready = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"));
    if app.stopping.is_cancelled() {
        return unready("stopping");
    }
    if let Some(trouble) = app.ledger.watch().standing().trouble() {
        return unready(&trouble);
    }
    let asked = tokio::time::timeout(READY_TIMEOUT, reader::takes_changes(&app.pool)).await;
    match asked {
        Ok(Ok(true)) => (StatusCode::OK, "ready\n".to_owned()),
        Ok(Ok(false)) => {
            app.ledger.watch().look();
            unready("the database takes no changes: it is read-only")
        }
        Ok(Err(_)) | Err(_) => unready("the database cannot be reached"),
    }
}
