//! The delivery worker: takes what waits in the outbox to Vonage, and records what becomes of it.
//!
//! A call to Vonage cannot be repeated safely, so its beginning is committed before it is made (`MessageSending`), and the log
//! lets only one worker begin. A message found `sending` whose worker is gone is uncertain: Vonage's status callback settles
//! it, or an agent. No transaction is open during a call.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::{CaseError, News};
use docket_domain::ids::{LineId, MessageId};
use docket_domain::line::{HaltReason, LineCommand};
use docket_projections::DatabaseError;
use docket_projections::ledger::operation::{Answer, LedgerError};
use docket_projections::outbox_claims::{self, Claim, ClaimedMedia, Wanted};
use docket_projections::read::outbox::{self, OutboxRow};
use metrics::counter;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::app::App;
use crate::media;
use crate::operations::Administrator;
use crate::operations::delivery::{BeginSending, Claimed, FailUnsendable, RecordOutcome};
use crate::operations::line::ChangeLine;
use crate::vonage::client::{self, Client, OutboundFile, OutboundText, SendOutcome};

/// The clock by which claims and pauses are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryClock {
    /// The database's, which is one for all processes.
    Database,
    /// The service's own, for tests that say what time it is.
    Service,
}

/// How the worker is set up.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryOptions {
    /// How long a claimed message belongs to its worker; longer than waiting for the rate limit and a call together.
    pub lease: Duration,
    /// Calls a second of all processes on the database together.
    pub rate: NonZeroU32,
    /// Calls at once.
    pub concurrency: usize,
    /// The first pause after a call that Vonage could not take.
    pub first_pause: Duration,
    /// The clock by which claims and pauses are judged.
    pub clock: DeliveryClock,
    /// How long a message is offered before it is given up: so long are the pauses between its offers together. The time for
    /// which its line stood still, or Docket was down, is no part of it.
    pub give_up_after: Duration,
}

impl DeliveryOptions {
    /// The time between two calls.
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.rate.get()
    }

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
            // Vonage's own limit for an API key is 30 a second.
            rate: NonZeroU32::new(25).expect("25 is not zero"),
            concurrency: 64,
            first_pause: Duration::from_secs(2),
            clock: DeliveryClock::Database,
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

/// How long a message is left alone that was claimed and could not be offered, as when the database was away.
const UNUSED_CLAIM_PAUSE: TimeDelta = TimeDelta::seconds(5);

/// The delivery worker; cloning it is cheap.
#[derive(Clone)]
pub struct Delivery {
    app: App,
    options: DeliveryOptions,
}

/// The database's clock, read once and carried on by this process's monotonic clock, which a frozen process finds gone on.
#[derive(Clone, Copy, Debug)]
struct DatabaseClock {
    read: DateTime<Utc>,
    at: Instant,
}

impl DatabaseClock {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.at.elapsed()).unwrap_or(TimeDelta::MAX);
        self.read
            .checked_add_signed(elapsed)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The time in which a claimed message is called for.
#[derive(Clone, Copy, Debug)]
struct Slot {
    clock: DatabaseClock,
    /// When the claim ends by itself, by the database's clock.
    claimed_until: DateTime<Utc>,
    /// The message's turn under the rate limit.
    turn: Instant,
    /// How long a call may take.
    call: Duration,
}

impl Slot {
    /// Whether a call that begins now ends before another worker may be given the message.
    fn has_time_for_a_call(&self) -> bool {
        let left = (self.claimed_until - self.clock.now()).to_std();
        left.is_ok_and(|left| left >= self.call)
    }
}

/// What became of a claim.
enum Used {
    /// The message's call was made, or it needs none any more.
    Done,
    /// Nothing was done. The message is left alone for a while, or it would be claimed without end.
    Not,
}

impl Delivery {
    /// A worker for the outbox.
    pub const fn new(app: App, options: DeliveryOptions) -> Self {
        Self { app, options }
    }

    /// Works until the service stops, then waits for the calls under way.
    pub async fn run(self) {
        let mut changes = self.app.ledger.outbox_changes();
        let mut calls = JoinSet::new();
        let mut kept_house_at: Option<Instant> = None;
        while !self.app.stopping.is_cancelled() {
            changes.mark_unchanged();
            let free = self.options.concurrency.saturating_sub(calls.len());
            let is_housework_due = kept_house_at.is_none_or(|at| at.elapsed() >= IDLE_INTERVAL);
            let begun = match self.begin(&mut calls, free, is_housework_due).await {
                Ok(begun) => begun,
                Err(error) => {
                    warn!(%error, "the outbox could not be read; trying again");
                    0
                }
            };
            if is_housework_due {
                kept_house_at = Some(Instant::now());
            }
            if begun > 0 && begun == free {
                // There may be more; the first call that ends makes room.
                calls.join_next().await;
                continue;
            }
            let pause = self.pause(begun).await;
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
        let begun = self
            .begin(&mut calls, self.options.concurrency, true)
            .await?;
        calls.join_all().await;
        Ok(begun)
    }

    async fn begin(
        &self,
        calls: &mut JoinSet<()>,
        free: usize,
        is_housework_due: bool,
    ) -> Result<usize, DatabaseError> {
        // Read before the database's time: a process that is frozen in between believes that its lease is older than it is.
        let at = Instant::now();
        let read = self.time().await?;
        let clock = DatabaseClock { read, at };
        if is_housework_due {
            self.mark_cut_off(read).await?;
            self.fail_unsendable().await?;
        }
        let Some(client) = self.app.vonage.client.load_full() else {
            return Ok(0);
        };
        // No more than a second's calls: the messages of other lines and processes get their turns in between.
        let limit = u32::try_from(free)
            .unwrap_or(u32::MAX)
            .min(self.options.rate.get());
        if limit == 0 {
            return Ok(0);
        }
        let claimed_until = read + self.lease();
        let wanted = Wanted {
            now: read,
            until: claimed_until,
            limit,
            per_line: limit,
        };
        let claimed = outbox_claims::claim(&self.app.pool, wanted).await?;
        if claimed.is_empty() {
            return Ok(0);
        }
        let begun = claimed.len();
        let count = u32::try_from(begun).unwrap_or(u32::MAX);
        let interval = self.options.interval();
        let wait = match outbox_claims::take_turns(&self.app.pool, count, interval).await {
            Ok(wait) => wait,
            Err(error) => {
                let ids: Vec<_> = claimed
                    .iter()
                    .map(|claim| claim.message.message_id)
                    .collect();
                outbox_claims::release(&self.app.pool, &ids, claimed_until).await?;
                return Err(error);
            }
        };
        let mut turn = Instant::now() + wait;
        for claim in claimed {
            let worker = self.clone();
            let client = Arc::clone(&client);
            let slot = Slot {
                clock,
                claimed_until,
                turn,
                // With a lease that is shorter than a call a message has half of it, or it would never be offered.
                call: client::CALL_TIMEOUT.min(self.options.lease / 2),
            };
            calls.spawn(async move { worker.deliver(&client, &claim, slot).await });
            turn += interval;
        }
        Ok(begun)
    }

    async fn time(&self) -> Result<DateTime<Utc>, DatabaseError> {
        match self.options.clock {
            DeliveryClock::Database => outbox_claims::database_time(&self.app.pool).await,
            DeliveryClock::Service => Ok((self.app.clock)()),
        }
    }

    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.options.lease).unwrap_or(TimeDelta::MAX)
    }

    /// Messages whose worker died between the beginning of a call and its outcome. `now` is the database's time.
    async fn mark_cut_off(&self, now: DateTime<Utc>) -> Result<(), DatabaseError> {
        for message in outbox_claims::orphans(&self.app.pool, now, 100).await? {
            let reason = "Docket was cut off while it handed the message to Vonage".to_owned();
            self.record(&message, News::Uncertain { reason }).await;
        }
        outbox_claims::forget_ended(&self.app.pool, now - self.lease()).await?;
        Ok(())
    }

    /// Messages whose line was removed while they waited, or whose contact opted out: an agent is to learn of it.
    async fn fail_unsendable(&self) -> Result<(), DatabaseError> {
        for message in outbox_claims::unsendable(&self.app.pool, 100).await? {
            let fail = FailUnsendable {
                message_id: message.message_id,
                attempt: message.attempt,
            };
            match self.app.ledger.submit(fail).await {
                Ok(_) => {}
                // The others must not wait behind it.
                Err(LedgerError::Refused(error)) => {
                    error!(%error, message_id = %message.message_id, "that a message cannot be sent any more was refused");
                }
                Err(error) => {
                    warn!(%error, message_id = %message.message_id, "that a message cannot be sent any more could not be recorded; trying again");
                    break;
                }
            }
        }
        Ok(())
    }

    /// How long to wait for something to do, where nothing happens meanwhile.
    async fn pause(&self, begun: usize) -> Duration {
        if begun > 0 {
            // More may be due that found no place in this round.
            return self.options.interval() * u32::try_from(begun).unwrap_or(u32::MAX);
        }
        let due = async {
            let now = self.time().await?;
            let due = outbox::next_due(&self.app.pool, now).await?;
            Ok::<_, DatabaseError>(due.map(|due| (due - now).to_std().unwrap_or_default()))
        };
        match due.await {
            Ok(Some(wait)) => wait.clamp(Duration::from_millis(10), IDLE_INTERVAL),
            Ok(None) | Err(_) => IDLE_INTERVAL,
        }
    }

    async fn deliver(&self, client: &Client, claim: &Claim, slot: Slot) {
        let message_id = claim.message.message_id;
        let used = self.offer(client, claim, slot).await;
        let ended = match used {
            Used::Done => {
                outbox_claims::release(&self.app.pool, &[message_id], slot.claimed_until).await
            }
            Used::Not => {
                let until = slot.clock.now() + UNUSED_CLAIM_PAUSE;
                let until = until.min(slot.claimed_until);
                outbox_claims::put_off(&self.app.pool, message_id, slot.claimed_until, until).await
            }
        };
        if let Err(error) = ended {
            warn!(%error, "a claim could not be given back; it ends by itself");
        }
    }

    async fn offer(&self, client: &Client, claim: &Claim, slot: Slot) -> Used {
        let Claim {
            message,
            from_number,
            media,
        } = claim;
        tokio::time::sleep_until(slot.turn.into()).await;
        if self.app.stopping.is_cancelled() {
            return Used::Done;
        }
        let begin = BeginSending {
            message_id: message.message_id,
            attempt: message.attempt,
        };
        let deferrals = match self.app.ledger.submit(begin).await {
            Ok(Answer::Done(claimed) | Answer::Repeated(claimed)) => match claimed {
                Claimed::ToSend { deferrals } => deferrals,
                Claimed::OptedOut => return Used::Done,
            },
            Ok(Answer::Duplicate) => 0,
            // The row is behind the log, or was when it was read.
            Err(LedgerError::Refused(CaseError::NotQueued { .. })) => return Used::Not,
            Err(error) => {
                warn!(%error, message_id = %message.message_id, "a message could not be claimed for sending");
                return Used::Not;
            }
        };
        if !slot.has_time_for_a_call() {
            // This process was held up. Another one may take over the message while the call is made, and would find it cut off.
            let news = News::Deferred {
                not_before: slot.clock.now(),
                reason: "Docket was held up before it handed the message to Vonage".to_owned(),
            };
            self.record(message, news).await;
            return Used::Done;
        }
        let client_ref = message.message_id.client_ref(message.attempt);
        let address = media
            .as_ref()
            .map(|file| self.address_of(message.message_id, file, slot.clock.now()));
        let media = media.as_ref().zip(address.as_deref());
        let call = OutboundText {
            channel: message.channel,
            from: &from_number.0,
            to: &message.to_number,
            text: &message.sent_text,
            template: message.template.as_ref(),
            client_ref: &client_ref,
            quoted: None,
            media: media.map(|(file, url)| OutboundFile {
                kind: &file.kind,
                url,
                name: file.name.as_ref().map(|name| name.0.as_str()),
            }),
        };
        let outcome = client.send(&call).await;
        counter!("docket_delivery_calls_total", "result" => label(&outcome)).increment(1);
        let now = (self.app.clock)();
        self.app.vonage.activity.note("send", label(&outcome), now);
        if let SendOutcome::Halted { reason } = &outcome {
            self.halt(message.line_id, *reason).await;
        }
        let news = self.news(deferrals, outcome, slot.clock.now());
        self.record(message, news).await;
        Used::Done
    }

    /// Where Vonage fetches the file of a message; the address ends with the file's name, whose ending tells Vonage the type.
    fn address_of(&self, message_id: MessageId, file: &ClaimedMedia, now: DateTime<Utc>) -> String {
        let pass = self.app.media.link_key().pass(message_id, now);
        let ending = media::link::ending(
            &file.media_type,
            file.name.as_ref().map(|name| name.0.as_str()),
        );
        format!(
            "{}{}/{message_id}/{pass}/file{ending}",
            self.app.public_url,
            media::link::PATH
        )
    }

    /// What is recorded of a call; `now` is the database's time, by which it is judged when the message is due again.
    fn news(&self, deferrals: u32, outcome: SendOutcome, now: DateTime<Utc>) -> News {
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
                Err(_) if self.app.ledger.watch().standing().is_another_log => {
                    warn!(message_id = %message.message_id, "the outcome of a call is of a log that is gone");
                    return;
                }
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
