//! The delivery worker: takes what waits in the outbox to Vonage, and records what becomes of it.
//!
//! A call to Vonage cannot be repeated safely, so its beginning is committed before it is made (`MessageSending`), and the log
//! lets only one worker begin. A message found `sending` whose worker is gone is uncertain: Vonage's status callback settles
//! it, or an agent. No transaction is open during a call.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::{CaseError, News};
use docket_domain::ids::LineId;
use docket_domain::line::{HaltReason, LineCommand};
use docket_projections::DatabaseError;
use docket_projections::ledger::operation::{Answer, LedgerError};
use docket_projections::outbox_claims::{self, Wanted};
use docket_projections::read::outbox::{self, OutboxRow};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use metrics::counter;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::app::App;
use crate::operations::Administrator;
use crate::operations::delivery::{BeginSending, FailWithoutLine, RecordOutcome};
use crate::operations::line::ChangeLine;
use crate::vonage::client::{self, Client, OutboundText, SendOutcome};

/// How the worker is set up.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryOptions {
    /// How long a claimed message belongs to its worker; longer than waiting for the rate limit and a call together.
    pub lease: Duration,
    /// Calls a second on one line.
    pub per_line_rate: NonZeroU32,
    /// Calls at once.
    pub concurrency: usize,
    /// The first pause after a call that Vonage could not take.
    pub first_pause: Duration,
    /// How long a message is offered before it is given up: so long are the pauses between its offers together. The time for
    /// which its line stood still, or Docket was down, is no part of it.
    pub give_up_after: Duration,
}

impl DeliveryOptions {
    /// The pause after a call that Vonage could not take, where it could not take so many before: each is twice the one before, up to
    /// the longest.
    fn pause_after(&self, deferrals: u32) -> Duration {
        let times = 2_u32.checked_pow(deferrals).unwrap_or(u32::MAX);
        self.first_pause.saturating_mul(times).min(LONGEST_PAUSE)
    }

    /// How long a message has been offered by those pauses.
    fn offered_for(&self, deferrals: u32) -> Duration {
        (0..deferrals)
            .map(|earlier| self.pause_after(earlier))
            .fold(Duration::ZERO, Duration::saturating_add)
    }
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(1),
            // Vonage's own limit for an API key is 30 a second; some numbers have less.
            per_line_rate: NonZeroU32::new(25).expect("25 is not zero"),
            concurrency: 64,
            first_pause: Duration::from_secs(2),
            give_up_after: Duration::from_hours(24),
        }
    }
}

/// The longest pause between two offers of a message.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// How often the outbox is looked at when nothing wakes the worker: for messages whose lease ended, and those that another process
/// recorded and then died.
const IDLE_INTERVAL: Duration = Duration::from_secs(2);
/// How often the recording of an outcome is tried before the message is left to become uncertain.
const RECORD_TRIES: u32 = 20;
/// The pause between two of those tries.
const RECORD_PAUSE: Duration = Duration::from_millis(500);

/// The delivery worker; cloning it is cheap.
#[derive(Clone)]
pub struct Delivery {
    app: App,
    options: DeliveryOptions,
    limiter: Arc<DefaultKeyedRateLimiter<LineId>>,
}

impl Delivery {
    /// A worker for the outbox.
    pub fn new(app: App, options: DeliveryOptions) -> Self {
        let limiter = Arc::new(RateLimiter::keyed(Quota::per_second(options.per_line_rate)));
        Self {
            app,
            options,
            limiter,
        }
    }

    /// Works until the service stops, then waits for the calls under way.
    pub async fn run(self) {
        let mut changes = self.app.ledger.outbox_changes();
        let mut calls = JoinSet::new();
        while !self.app.stopping.is_cancelled() {
            changes.mark_unchanged();
            let free = self.options.concurrency.saturating_sub(calls.len());
            let begun = match self.begin(&mut calls, free).await {
                Ok(begun) => begun,
                Err(error) => {
                    warn!(%error, "the outbox could not be read; trying again");
                    0
                }
            };
            if begun > 0 && begun == free {
                // There may be more; whoever ends first makes room.
                calls.join_next().await;
                continue;
            }
            let pause = self.pause().await;
            tokio::select! {
                () = self.app.stopping.cancelled() => {}
                _ = changes.changed() => {}
                Some(_) = calls.join_next() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while calls.join_next().await.is_some() {}
    }

    /// One round: marks what was cut off, offers all that is due, and waits for the outcomes. Gives the number of messages
    /// that were offered.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn round(&self) -> Result<usize, DatabaseError> {
        let mut calls = JoinSet::new();
        let begun = self.begin(&mut calls, self.options.concurrency).await?;
        calls.join_all().await;
        Ok(begun)
    }

    async fn begin(&self, calls: &mut JoinSet<()>, free: usize) -> Result<usize, DatabaseError> {
        let now = (self.app.clock)();
        self.mark_cut_off(now).await?;
        self.fail_without_line().await?;
        let Some(client) = self.app.vonage.client.load_full() else {
            return Ok(0);
        };
        if free == 0 {
            return Ok(0);
        }
        let until = now + self.lease();
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        let wanted = Wanted {
            now,
            until,
            limit,
            per_line: self.options.per_line_rate.get(),
        };
        let claimed = outbox_claims::claim(&self.app.pool, wanted).await?;
        let begun = claimed.len();
        for message in claimed {
            let worker = self.clone();
            let client = Arc::clone(&client);
            calls.spawn(async move { worker.deliver(&client, &message, until).await });
        }
        Ok(begun)
    }

    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.options.lease).unwrap_or(TimeDelta::MAX)
    }

    /// Messages whose worker died between the beginning of a call and its outcome.
    async fn mark_cut_off(&self, now: DateTime<Utc>) -> Result<(), DatabaseError> {
        for message in outbox_claims::orphans(&self.app.pool, now, now - self.lease(), 100).await? {
            let reason = "Docket was cut off while it handed the message to Vonage".to_owned();
            self.record(&message, News::Uncertain { reason }).await;
        }
        outbox_claims::forget_ended(&self.app.pool, now - self.lease()).await?;
        Ok(())
    }

    /// Messages whose line was removed while they waited: an agent is to learn of it, and can send them again from another.
    async fn fail_without_line(&self) -> Result<(), DatabaseError> {
        for message in outbox_claims::without_line(&self.app.pool, 100).await? {
            let fail = FailWithoutLine {
                message_id: message.message_id,
                attempt: message.attempt,
            };
            match self.app.ledger.submit(fail).await {
                Ok(_) => {}
                // The others must not wait behind it.
                Err(LedgerError::Refused(error)) => {
                    error!(%error, message_id = %message.message_id, "that a message lost its line was refused");
                }
                Err(error) => {
                    warn!(%error, message_id = %message.message_id, "that a message lost its line could not be recorded; trying again");
                    break;
                }
            }
        }
        Ok(())
    }

    async fn pause(&self) -> Duration {
        let now = (self.app.clock)();
        match outbox::next_due(&self.app.pool, now).await {
            Ok(Some(due)) => (due - now)
                .to_std()
                .unwrap_or_default()
                .clamp(Duration::from_millis(10), IDLE_INTERVAL),
            Ok(None) | Err(_) => IDLE_INTERVAL,
        }
    }

    async fn deliver(&self, client: &Client, message: &OutboxRow, until: DateTime<Utc>) {
        self.offer(client, message).await;
        if let Err(error) =
            outbox_claims::release(&self.app.pool, &[message.message_id], until).await
        {
            warn!(%error, "a claim could not be given back; it ends by itself");
        }
    }

    async fn offer(&self, client: &Client, message: &OutboxRow) {
        let settings = self.app.ledger.settings();
        let Some(line) = settings.line(message.line_id) else {
            return;
        };
        self.limiter.until_key_ready(&message.line_id).await;
        if self.app.stopping.is_cancelled() {
            return;
        }
        let begin = BeginSending {
            message_id: message.message_id,
            attempt: message.attempt,
        };
        let deferrals = match self.app.ledger.submit(begin).await {
            Ok(Answer::Done(deferrals) | Answer::Repeated(deferrals)) => deferrals,
            Ok(Answer::Duplicate) => 0,
            Err(LedgerError::Refused(CaseError::NotQueued { .. })) => return,
            Err(error) => {
                warn!(%error, message_id = %message.message_id, "a message could not be claimed for sending");
                return;
            }
        };
        let client_ref = message.message_id.client_ref(message.attempt);
        let call = OutboundText {
            channel: message.channel,
            from: &line.number,
            to: &message.to_number,
            text: &message.sent_text,
            client_ref: &client_ref,
            quoted: None,
        };
        let outcome = client.send(&call).await;
        counter!("docket_delivery_calls_total", "result" => label(&outcome)).increment(1);
        let now = (self.app.clock)();
        self.app.vonage.activity.note("send", label(&outcome), now);
        if let SendOutcome::Halted { reason } = &outcome {
            self.halt(message.line_id, *reason).await;
        }
        let news = self.news(deferrals, outcome);
        self.record(message, news).await;
    }

    fn news(&self, deferrals: u32, outcome: SendOutcome) -> News {
        let now = (self.app.clock)();
        match outcome {
            SendOutcome::Accepted { provider_id } => News::Sent { provider_id },
            SendOutcome::Refused { code, reason } => News::Failed { code, reason },
            SendOutcome::Uncertain { reason } => News::Uncertain { reason },
            // Once the owner has seen to it, the message may go at once.
            SendOutcome::Halted { reason } => News::Deferred {
                not_before: now,
                reason: halt_reason(reason).sentence().to_owned(),
            },
            SendOutcome::Retry {
                reason,
                retry_after,
            } => {
                if self.options.offered_for(deferrals) >= self.options.give_up_after {
                    return News::Failed {
                        code: None,
                        reason: format!("given up after a day of trying: {reason}"),
                    };
                }
                let pause = self.options.pause_after(deferrals);
                let pause = retry_after.map_or(pause, |asked| asked.clamp(pause, LONGEST_PAUSE));
                News::Deferred {
                    not_before: now + pause,
                    reason,
                }
            }
        }
    }

    async fn halt(&self, line_id: LineId, reason: client::HaltReason) {
        let reason = halt_reason(reason);
        error!(%line_id, reason = reason.sentence(), "sending has stopped on a line");
        let halt = ChangeLine {
            line_id,
            command: LineCommand::Halt { reason },
            by: Administrator::System,
        };
        if let Err(error) = self.app.ledger.submit(halt).await {
            warn!(%error, %line_id, "that sending has stopped could not be recorded; the next call will try again");
        }
    }

    /// Records an outcome; where that fails for long, the message is found cut off later and becomes uncertain.
    async fn record(&self, message: &OutboxRow, news: News) {
        for _ in 0..RECORD_TRIES {
            let outcome = RecordOutcome {
                message_id: message.message_id,
                attempt: message.attempt,
                news: news.clone(),
            };
            match self.app.ledger.submit(outcome).await {
                Ok(_) => return,
                Err(LedgerError::Busy | LedgerError::Unavailable) => {
                    tokio::time::sleep(RECORD_PAUSE).await;
                }
                Err(error) => {
                    error!(%error, message_id = %message.message_id, "the outcome of a call could not be recorded");
                    return;
                }
            }
        }
        error!(message_id = %message.message_id, "the outcome of a call could not be recorded in time");
    }
}

const fn halt_reason(reason: client::HaltReason) -> HaltReason {
    match reason {
        client::HaltReason::Credentials => HaltReason::Credentials,
        client::HaltReason::Balance => HaltReason::Balance,
    }
}

const fn label(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::Retry { .. } => "retry",
        SendOutcome::Refused { .. } => "refused",
        SendOutcome::Halted { .. } => "halted",
        SendOutcome::Uncertain { .. } => "uncertain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_tries_and_fill_a_day() {
        let options = DeliveryOptions::default();
        let pauses: Vec<u64> = (0..12)
            .map(|deferrals| options.pause_after(deferrals).as_secs())
            .collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(options.pause_after(u32::MAX), LONGEST_PAUSE);
        assert_eq!(options.offered_for(0), Duration::ZERO);
        assert_eq!(options.offered_for(3), Duration::from_secs(14));
        let tries = (0..1_000).find(|tries| options.offered_for(*tries) >= options.give_up_after);
        assert_eq!(tries, Some(104));
    }
}
