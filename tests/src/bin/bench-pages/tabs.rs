//! Old threads read to their ends, and forty open tabs of as many browsers while messages come.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use docket::cli::terminal::say;
use docket_tests::api::Api;
use docket_tests::docket::{Docket, Environment, run};
use docket_tests::webhooks::{INBOUND, Webhooks, sms};
use reqwest::header::COOKIE;
use serde_json::Value;
use sqlx::PgConnection;

use super::{APPLICATION_ID, EMAIL, Places, SECRET, Visitor};

/// So many tabs are open.
const TABS: usize = 40;
/// So many messages come in a second.
const PER_SECOND: u32 = 20;
/// For so long.
const SECONDS: u32 = 15;
/// A tab fetches at most so often.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn measure(
    docket: &Docket,
    visitor: &Visitor,
    places: &Places,
    environment: &Environment,
    url: &str,
) -> anyhow::Result<()> {
    let token = run(
        &["token", "create", "--email", EMAIL, "--name", "bench"],
        environment,
        "",
    )
    .await
    .success();
    let api = Api::new(docket.url(), token.trim_end());
    let last = api.get(&format!("/cases/{}", places.long)).await["version"]
        .as_i64()
        .context("the case has a version")?;
    let thread = format!("/cases/{}/thread?limit=200", places.long);
    for (name, path) in [
        ("the thread of today", thread.clone()),
        ("the thread as it was", format!("{thread}&at={last}")),
    ] {
        let began = Instant::now();
        let items = api.all(&path).await.len();
        say(&format!(
            "{name}, {items} items page by page: {:.1} s",
            began.elapsed().as_secs_f64()
        ));
    }
    let mut conn = sqlx::Connection::connect(url).await?;
    let idle = transactions(&mut conn).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = transactions(&mut conn).await? - idle;
    let before = transactions(&mut conn).await?;
    let began = Instant::now();
    let tabs = (0..TABS).map(|number| {
        // Half of them show the case that the messages come to, the others one beside it.
        let case = if number % 2 == 0 {
            places.long
        } else {
            places.open
        };
        tokio::spawn(open(visitor.clone(), case, began))
    });
    let tabs: Vec<_> = tabs.collect();
    let webhooks = Webhooks::new(SECRET, APPLICATION_ID);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    for number in 0..PER_SECOND * SECONDS {
        ticks.tick().await;
        let from = if number % 2 == 0 {
            "447700900998"
        } else {
            "447700900001"
        };
        let message = sms(from, "447700900000", &format!("Invented news {number}"));
        let status = webhooks.inbound(docket.url(), &message).await;
        if status != 200 {
            bail!("{INBOUND} was answered {status}");
        }
    }
    let took = began.elapsed().as_secs_f64();
    let (mut fetches, mut bytes) = (0, 0);
    for tab in tabs {
        let (asked, read) = tab.await??;
        fetches += asked;
        bytes += read;
    }
    let count = transactions(&mut conn).await? - before;
    #[expect(clippy::cast_precision_loss, reason = "shown, not counted with")]
    let per_second = |count: i64| count as f64 / took;
    say(&format!(
        "{TABS} tabs at {PER_SECOND} messages a second: {:.0} transactions/s of the database ({:.0} without), {:.1} fetches/s, {:.0} KB/s",
        per_second(count),
        per_second(idle) * took / 2.0,
        per_second(i64::try_from(fetches)?),
        per_second(i64::try_from(bytes)?) / 1024.0,
    ));
    Ok(())
}

/// How many transactions the database has ended; what only reads is one statement each.
async fn transactions(conn: &mut PgConnection) -> anyhow::Result<i64> {
    // Other sessions tell what they did within a second of falling idle.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    Ok(sqlx::query_scalar(query).fetch_one(conn).await?)
}

/// A tab that does as the script does. Gives how often it fetched, and how much.
async fn open(visitor: Visitor, case: i64, began: Instant) -> anyhow::Result<(usize, usize)> {
    let end = began + Duration::from_secs(u64::from(SECONDS));
    let page = visitor.text(&format!("/cases/{case}")).await?;
    let number = |name: &str| -> Option<i64> {
        let rest = page.split_once(&format!("{name}=\""))?.1;
        rest.split_once('"')?.0.parse().ok()
    };
    let position = number("data-position").context("the page has a position")?;
    let mut version = number("data-version").context("the page has a version")?;
    let mut stream = visitor
        .client
        .get(format!("{}/live?after={position}&case={case}", visitor.url))
        .header(COOKIE, &visitor.cookies)
        .send()
        .await?;
    let (mut fetches, mut bytes) = (0, 0);
    let (mut rows, mut is_mine) = (HashSet::new(), false);
    let mut fetched_at = Instant::now();
    while Instant::now() < end {
        if let Ok(chunk) = tokio::time::timeout(Duration::from_millis(200), stream.chunk()).await {
            let Some(chunk) = chunk? else {
                bail!("the stream of a tab ended");
            };
            for line in String::from_utf8_lossy(&chunk).lines() {
                let Some(data) = line.strip_prefix("data: ") else {
                    continue;
                };
                let changes: Value = serde_json::from_str(data).unwrap_or_default();
                for change in changes["cases"].as_array().into_iter().flatten() {
                    if change["row"] == true {
                        rows.insert(change["case"].to_string());
                    }
                    is_mine |= change["case"] == case;
                }
            }
        }
        if (rows.is_empty() && !is_mine) || fetched_at.elapsed() < PAUSE {
            continue;
        }
        fetched_at = Instant::now();
        let asked: Vec<String> = rows.drain().collect();
        let asked = asked.join(",");
        let path = if std::mem::take(&mut is_mine) {
            format!("/cases/{case}/changes?since={version}&first={version}&rows={asked}")
        } else {
            format!("/rows?rows={asked}")
        };
        let part = visitor.text(&path).await?;
        fetches += 1;
        bytes += part.len();
        if let Some((_, rest)) = part.split_once("data-version=\"") {
            let text = rest.split('"').next().unwrap_or_default();
            version = text.parse().unwrap_or(version);
        }
    }
    Ok((fetches, bytes))
}
