//! How far an answer has come: the attempts to send it, and what is heard of them.

use super::{Body, CaseError, CaseEvent, Message, News, OutboundMessage, SentId, State};
use crate::delivery::{Progress, Status};
use crate::ids::{LineId, MessageId};

impl State {
    pub(super) fn begin_sending(
        &self,
        message_id: MessageId,
        attempt: u32,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        let (_, progress) = self.outbound(message_id)?;
        if progress
            == (Progress {
                attempt,
                status: Status::Queued,
            })
        {
            Ok(vec![CaseEvent::MessageSending {
                message_id,
                attempt,
            }])
        } else {
            Err(CaseError::NotQueued {
                status: progress.status,
            })
        }
    }

    pub(super) fn record_delivery(
        &self,
        message_id: MessageId,
        attempt: u32,
        news: News,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        let (_, progress) = self.outbound(message_id)?;
        let is_at = |status| progress == Progress { attempt, status };
        let news = match news {
            // The call was given up before its answer was recorded. It did not go out, so it waits for whoever sends it again.
            News::Deferred { reason, .. } if is_at(Status::Uncertain) => {
                News::Failed { code: None, reason }
            }
            news => news,
        };
        let is_news = match news.status() {
            Some(status) => progress.is_advanced_by(attempt, status),
            None => is_at(Status::Sending),
        };
        if !is_news {
            // Late as it is, it may be the first to say what Vonage calls the attempt.
            return match news {
                News::Sent {
                    provider_id: Some(provider_id),
                } => self.identify(message_id, attempt, provider_id),
                _ => Ok(vec![]),
            };
        }
        Ok(vec![match news {
            News::Deferred { not_before, reason } => CaseEvent::MessageDeferred {
                message_id,
                attempt,
                not_before,
                reason,
            },
            News::Sent { provider_id } => CaseEvent::MessageSent {
                message_id,
                attempt,
                provider_id,
            },
            News::Delivered { at, at_is_arrival } => CaseEvent::MessageDelivered {
                message_id,
                attempt,
                at,
                at_is_arrival,
            },
            News::Read { at, at_is_arrival } => CaseEvent::MessageRead {
                message_id,
                attempt,
                at,
                at_is_arrival,
            },
            News::Failed { code, reason } => CaseEvent::MessageFailed {
                message_id,
                attempt,
                code,
                reason,
            },
            News::Uncertain { reason } => CaseEvent::MessageUncertain {
                message_id,
                attempt,
                reason,
            },
        }])
    }

    pub(super) fn identify(
        &self,
        message_id: MessageId,
        attempt: u32,
        provider_id: String,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        let (_, progress) = self.outbound(message_id)?;
        let was_made = (1..=progress.attempt).contains(&attempt);
        let is_known = self
            .sent_ids(message_id)
            .iter()
            .any(|known| known.provider_id == provider_id);
        if !was_made || is_known {
            return Ok(vec![]);
        }
        Ok(vec![CaseEvent::MessageIdentified {
            message_id,
            attempt,
            provider_id,
        }])
    }

    pub(super) fn resend(
        &self,
        message_id: MessageId,
        line_id: Option<LineId>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        let (message, progress) = self.outbound(message_id)?;
        match progress.status {
            Status::Failed | Status::Uncertain => {
                let message = OutboundMessage {
                    line_id: line_id.unwrap_or(message.line_id),
                    ..message.clone()
                };
                Ok(vec![CaseEvent::MessageRequeued {
                    message: Box::new(message),
                    attempt: progress.attempt + 1,
                }])
            }
            status => Err(CaseError::NotResendable { status }),
        }
    }

    /// What an event makes of the delivery of a message.
    pub(super) fn evolve_delivery(&mut self, event: &CaseEvent) {
        match event {
            CaseEvent::MessageSending { message_id, .. } => {
                self.set_progress(*message_id, Status::Sending);
            }
            CaseEvent::MessageDeferred { message_id, .. } => {
                self.set_progress(*message_id, Status::Queued);
                if let Some(Message {
                    body: Body::Outbound { deferrals, .. },
                    ..
                }) = self.messages.get_mut(message_id)
                {
                    *deferrals += 1;
                }
            }
            CaseEvent::MessageSent {
                message_id,
                attempt,
                provider_id,
            } => {
                self.set_progress(*message_id, Status::Sent);
                if let Some(provider_id) = provider_id {
                    self.add_sent_id(*message_id, *attempt, provider_id);
                }
            }
            CaseEvent::MessageIdentified {
                message_id,
                attempt,
                provider_id,
            } => self.add_sent_id(*message_id, *attempt, provider_id),
            CaseEvent::MessageDelivered { message_id, .. } => {
                self.set_progress(*message_id, Status::Delivered);
            }
            CaseEvent::MessageRead { message_id, .. } => {
                self.set_progress(*message_id, Status::Read);
            }
            CaseEvent::MessageFailed { message_id, .. } => {
                self.set_progress(*message_id, Status::Failed);
            }
            CaseEvent::MessageUncertain { message_id, .. } => {
                self.set_progress(*message_id, Status::Uncertain);
            }
            CaseEvent::MessageRequeued { message, attempt } => {
                self.begin_attempt(message, *attempt);
            }
            _ => {}
        }
    }

    fn set_progress(&mut self, message_id: MessageId, status: Status) {
        if let Some(Message {
            body: Body::Outbound { progress, .. },
            ..
        }) = self.messages.get_mut(&message_id)
        {
            progress.status = status;
        }
    }

    /// What Vonage calls earlier attempts stays: their copies may have arrived.
    fn begin_attempt(&mut self, again: &OutboundMessage, new_attempt: u32) {
        if let Some(Message {
            body:
                Body::Outbound {
                    message,
                    progress,
                    deferrals,
                    sent_ids: _,
                },
            ..
        }) = self.messages.get_mut(&again.message_id)
        {
            **message = again.clone();
            *progress = Progress {
                attempt: new_attempt,
                status: Status::Queued,
            };
            *deferrals = 0;
        }
    }

    fn add_sent_id(&mut self, message_id: MessageId, attempt: u32, provider_id: &str) {
        if let Some(Message {
            body: Body::Outbound { sent_ids, .. },
            ..
        }) = self.messages.get_mut(&message_id)
            && sent_ids
                .iter()
                .all(|known| known.provider_id != provider_id)
        {
            // Many cases are kept in memory, and there is seldom a second one.
            sent_ids.reserve_exact(1);
            sent_ids.push(SentId {
                attempt,
                provider_id: provider_id.to_owned(),
            });
        }
    }
}
