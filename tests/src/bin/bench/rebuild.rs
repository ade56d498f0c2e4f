//! A rebuild of all read models by `docket rebuild`.

use std::time::Instant;

use docket_projections::testing::volume;
use docket_tests::docket::{Environment, run};
use sqlx::Connection as _;

use crate::Bench;
use crate::desk::rebuild;
use crate::measured::ratio;
use crate::table::{Aim, Row};

/// Events a second.
const AIM: f64 = 50_000.0;
/// The database.
const DATABASE: &str = "rebuild";

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let events = bench.plan.rebuild_events;
    let server = &bench.server;
    server.create(DATABASE).await?;
    let environment: Environment = vec![
        ("DATABASE_URL".to_owned(), server.url(DATABASE)),
        (
            "DOCKET_DATA_DIR".to_owned(),
            server.data_dir(DATABASE).display().to_string(),
        ),
    ];
    run(&["migrate"], &environment, "").await.success();
    let mut conn = server.connect(DATABASE).await?;
    volume::fill(&mut conn, events).await;
    conn.close().await?;
    let began = Instant::now();
    let said = rebuild(&environment).await?;
    let took = began.elapsed();
    anyhow::ensure!(
        said.contains(&format!("{events} of {events} events")),
        "docket rebuild said: {said}"
    );
    server.drop(DATABASE).await?;
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let count = events as f64;
    bench.report.row(Row::number(
        format!("rebuild of all read models from {events} events"),
        Aim::AtLeast(AIM),
        ratio(count, took.as_secs_f64()),
        0,
        "events/s",
    ));
    Ok(())
}
