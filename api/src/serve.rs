//! The running service: its beginning, its parts and its end.
//!
//! At the end (SIGTERM, Ctrl-C) nothing more is accepted, requests under way are finished, calls to Vonage are waited for, what
//! people looked at is recorded, the ledger does all that waits, and only then the database is let go of.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::follow;
use docket_projections::read::{outbox, unrouted};
use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::app::{App, Parts, Vonage};
use crate::audit::Audit;
use crate::config::Config;
use crate::connections::{self, Limits};
use crate::delivery::Delivery;
use crate::secrets::SecretKey;
use crate::store::Store;
use crate::vonage_settings::VonageSettings;
use crate::{
    activity, ambient, console, housekeeping, http, rebuilding, reports, users, vonage_settings,
    webhooks,
};

/// How long requests under way may take at the end; Vonage waits no longer than 15 s itself.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// A service that runs.
pub struct Service {
    /// What its parts share.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    store: Store,
    tasks: Vec<JoinHandle<()>>,
}

impl Service {
    /// Starts the service.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do: a port that is taken, a database that cannot be reached.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "DOCKET_LISTEN: cannot listen on {}; is the port taken?",
                config.listen
            )
        })?;
        let address = listener.local_addr()?;
        let store = Store::open(config).await?;
        match Self::start_on(config, &store, address).await {
            Ok((app, mut tasks)) => {
                tasks.push(spawn_http(app.clone(), listener));
                Ok(Self {
                    app,
                    address,
                    store,
                    tasks,
                })
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
        let secret_key = match &config.secret_key {
            Some(key) => Some(key.clone()),
            // Its data folder is as safe as the database itself, which lies there.
            None if store.is_private() => Some(SecretKey::kept_in(&config.data_dir)?),
            None => None,
        };
        let vonage = Vonage {
            settings: VonageSettings::of(config, secret_key),
            ..Vonage::default()
        };
        let ledger = Ledger::start(store.connect.clone(), LedgerOptions::new(ambient::now))
            .await
            .context("the ledger could not be started")?;
        let app = App::new(Parts {
            audit: Audit::start(ledger.clone(), ambient::now, ambient::new_id),
            ledger,
            pool: store.pool(),
            reports: Arc::default(),
            vonage: Arc::new(vonage),
            clock: ambient::now,
            new_id: ambient::new_id,
            metrics: metrics_handle(),
            public_url: config
                .public_url
                .clone()
                .unwrap_or_else(|| format!("http://{address}"))
                .into(),
            default_country: config.default_country,
            proxies: Arc::new(config.trusted_proxies.clone()),
            stopping: CancellationToken::new(),
        });
        vonage_settings::refresh(&app)
            .await
            .context("Vonage's settings could not be read")?;
        if let Some((email, password)) = &config.owner {
            users::ensure_first_owner(&app, email, password).await?;
        }
        let head = app.ledger.head().clone();
        let tasks = vec![
            tokio::spawn(follow::run(app.pool.clone(), head, app.stopping.clone())),
            tokio::spawn(vonage_settings::follow(app.clone())),
            tokio::spawn(Delivery::new(app.clone(), config.delivery).run()),
            tokio::spawn(rebuilding::run(app.clone(), store.connect.clone())),
            tokio::spawn(activity::run(app.clone())),
            tokio::spawn(reports::run(app.clone())),
            tokio::spawn(housekeeping::run(app.clone())),
        ];
        Ok((app, tasks))
    }

    /// Waits until the service is told to stop, and then stops it.
    ///
    /// # Errors
    ///
    /// The private Postgres did not stop.
    pub async fn run_until(self, told: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = told.cancelled() => {}
            () = self.app.stopping.cancelled() => {}
        }
        self.stop().await
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

fn spawn_http(app: App, listener: TcpListener) -> JoinHandle<()> {
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
pub fn router(app: App) -> Router {
    let new_id = app.new_id;
    let health = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(app.clone());
    let router = http::router(app.clone())
        .merge(health)
        .nest("/webhooks/vonage", webhooks::router(app.clone()))
        .merge(console::router(app));
    http::observed(router, new_id)
}

/// Whether requests can be answered: the database is there, and we are not stopping.
async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    let asked = tokio::time::timeout(
        Duration::from_secs(2),
        docket_projections::log::reader::head(&app.pool),
    )
    .await;
    match asked {
        Ok(Ok(_)) => (StatusCode::OK, "ready\n"),
        Ok(Err(_)) | Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database cannot be reached\n",
        ),
    }
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    gauge!("docket_ledger_waiting").set(as_gauge(app.ledger.waiting() as u64));
    // A scrape that cannot ask the database still tells all else.
    if let Ok(depth) = outbox::depth(&app.pool).await {
        let age = depth.oldest_queued_at.map_or(0.0, |oldest| {
            ((app.clock)() - oldest).as_seconds_f64().max(0.0)
        });
        gauge!("docket_outbox_depth").set(as_gauge(depth.count));
        gauge!("docket_outbox_oldest_seconds").set(age);
    }
    if let Ok(count) = unrouted::count(&app.pool).await {
        gauge!("docket_unrouted_waiting").set(as_gauge(count));
    }
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        app.metrics.render(),
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and counts beyond 2^52 do not come up"
)]
const fn as_gauge(count: u64) -> f64 {
    count as f64
}

/// The one recorder of this process's metrics, and what renders it.
///
/// # Panics
///
/// Never: the buckets are not empty.
pub fn metrics_handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let seconds = [
                0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
            ];
            let operations = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
                .and_then(|builder| {
                    builder.set_buckets_for_metric(
                        Matcher::Suffix("_operations".to_owned()),
                        &operations,
                    )
                })
                .expect("the buckets are not empty")
                .install_recorder()
                .unwrap_or_else(|_| PrometheusBuilder::new().build_recorder().handle())
        })
        .clone()
}
