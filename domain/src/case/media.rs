//! The files of messages: what is recorded of those that come in, and which can go out.

use super::{
    CaseError, CaseEvent, MediaKind, OutboundMedia, OutboundMessage, State, StoredMedia, must_fit,
};
use crate::channel::Channel;
use crate::ids::MessageId;
use crate::media::{MediaFailure, StoredFile};
use crate::text::normalise;

/// What became of fetching a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaNews {
    /// It is kept.
    Stored(StoredFile),
    /// It is given up.
    Failed(MediaFailure),
}

impl State {
    /// A file is settled once; a worker that comes second records nothing.
    pub(super) fn record_media(
        &self,
        message_id: MessageId,
        item: u16,
        news: MediaNews,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.inbound(message_id)?;
        if self.settled_media.contains(&(message_id, item)) {
            return Ok(vec![]);
        }
        Ok(vec![match news {
            MediaNews::Stored(file) => {
                CaseEvent::MediaStored(StoredMedia::new(message_id, item, file))
            }
            MediaNews::Failed(reason) => CaseEvent::MediaFailed {
                message_id,
                item,
                reason,
            },
        }])
    }
}

/// The largest file of each kind that a channel takes, in bytes; `None` where the channel takes none.
const fn max_bytes(channel: Channel, kind: MediaKind) -> Option<u64> {
    const MB: u64 = 1_000_000;
    match (channel, kind) {
        (Channel::Whatsapp, MediaKind::Image) => Some(5 * MB),
        (Channel::Whatsapp, MediaKind::Audio | MediaKind::Video) => Some(16 * MB),
        (Channel::Whatsapp, MediaKind::File) => Some(100 * MB),
        // By MMS, where the line can.
        (Channel::Sms, MediaKind::Image) => Some(2 * MB),
        (Channel::Sms, MediaKind::Audio | MediaKind::Video | MediaKind::File) => None,
    }
}

/// Whether a message with, or without, a file can go out.
pub(super) fn check_outbound(message: &OutboundMessage) -> Result<(), CaseError> {
    let is_empty = normalise::is_empty(&message.text);
    let Some(media) = &message.media else {
        if is_empty {
            return Err(CaseError::Empty("the text"));
        }
        return must_fit(
            "the text as it is sent",
            &message.sent_text,
            message.channel.max_text_chars(),
        );
    };
    let OutboundMedia { kind, file, .. } = &**media;
    let Some(max) = max_bytes(message.channel, *kind) else {
        return Err(CaseError::MediaNotTaken { kind: *kind });
    };
    if file.size > max {
        return Err(CaseError::MediaTooLarge {
            size: file.size,
            max,
        });
    }
    if *kind == MediaKind::Audio && !is_empty {
        return Err(CaseError::MediaWithoutCaption);
    }
    if message.sent_text.is_empty() {
        return Ok(());
    }
    must_fit(
        "the text as it is sent",
        &message.sent_text,
        MAX_CAPTION_CHARS,
    )
}

/// The longest text beneath a file, in characters.
const MAX_CAPTION_CHARS: usize = 1_024;
