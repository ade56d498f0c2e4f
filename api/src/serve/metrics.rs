//! `GET /metrics`, on a listener of its own: it asks nobody who they are, so it stays apart from
//! the addresses that a proxy passes on.

use std::sync::OnceLock;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use docket_projections::log::alerts;
use docket_projections::read::{media, outbox, unrouted};
use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::warn;

use crate::app::App;
use crate::config::MetricsListen;
use crate::connections::{self, Limits};

/// Scrapers are few.
const MOST_CONNECTIONS: usize = 16;

/// Listens where the setting says; nowhere where the usual port is taken, such as by another Docket
/// of this machine.
///
/// # Errors
///
/// A sentence, where the address was chosen and cannot be listened on.
pub(super) fn listen(setting: MetricsListen) -> anyhow::Result<Option<TcpListener>> {
    match setting {
        MetricsListen::Off => Ok(None),
        MetricsListen::At(address) => super::listen("DOCKET_METRICS_LISTEN", address).map(Some),
        MetricsListen::ByDefault(address) => {
            let listener = super::listen("DOCKET_METRICS_LISTEN", address);
            if let Err(error) = &listener {
                warn!("{error}; until then this process serves no metrics");
            }
            Ok(listener.ok())
        }
    }
}

/// Serves metrics until the service stops.
pub(super) fn spawn(app: App, listener: TcpListener) -> JoinHandle<()> {
    let (proxies, stopping) = (app.proxies.clone(), app.stopping.clone());
    let router = router(app);
    let limits = Limits {
        connections: MOST_CONNECTIONS,
        of_one_address: MOST_CONNECTIONS,
        ..Limits::default()
    };
    tokio::spawn(connections::serve(
        listener, router, limits, proxies, stopping,
    ))
}

fn router(app: App) -> Router {
    Router::new().route("/metrics", get(render)).with_state(app)
}

async fn render(State(app): State<App>) -> impl IntoResponse {
    gauge!("docket_ledger_waiting").set(as_gauge(app.ledger.waiting() as u64));
    // A scrape that cannot ask the database still tells all else.
    if let Ok(depth) = outbox::depth(&app.pool).await {
        let age = depth.oldest_queued_at.map_or(0.0, |oldest| {
            ((app.clock)() - oldest).as_seconds_f64().max(0.0)
        });
        gauge!("docket_outbox_depth").set(as_gauge(depth.count));
        gauge!("docket_outbox_oldest_seconds").set(age);
    }
    if let Ok(alerts) = alerts::at(&app.pool, (app.clock)()).await {
        let failures = u64::from(alerts.has_many_failures());
        for (kind, count) in [
            ("views", alerts.views.len() as u64),
            ("exports", alerts.exports.len() as u64),
            ("failed_sign_ins", failures),
        ] {
            gauge!("docket_people_alerts", "kind" => kind).set(as_gauge(count));
        }
    }
    if let Ok(standing) = media::standing(&app.pool, (app.clock)()).await {
        gauge!("docket_media_waiting").set(as_gauge(standing.waiting));
        gauge!("docket_media_failed").set(as_gauge(standing.failed));
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
pub fn handle() -> PrometheusHandle {
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
