//! The sentences of files.

use docket_domain::case::{CaseEvent, OutboundMedia};
use docket_domain::media::MediaFailure;

use super::{lower, quoted};

/// The event in one sentence; nothing where it is not about a file.
pub(super) fn of_media(event: &CaseEvent) -> Option<String> {
    match event {
        CaseEvent::MediaStored(media) => Some(format!(
            "The file{} of {} is kept: {}, {}",
            numbered(media.item),
            lower(media.message_id),
            media.media_type,
            size(media.size)
        )),
        CaseEvent::MediaFailed {
            message_id,
            item,
            reason,
        } => Some(format!(
            "The file{} of {} is not kept: {}",
            numbered(*item),
            lower(*message_id),
            failure(reason)
        )),
        _ => None,
    }
}

/// What goes out with a message, as a part of its sentence.
pub(super) fn with_media(media: Option<&OutboundMedia>) -> String {
    media.map_or_else(String::new, |media| {
        let name = media.file.name.as_ref();
        let name = name.map_or_else(String::new, |name| format!(" {}", quoted(name)));
        format!(
            ", with the {}{name} ({})",
            media.kind.as_str(),
            size(media.file.size)
        )
    })
}

fn numbered(item: u16) -> String {
    if item == 0 {
        String::new()
    } else {
        format!(" {}", u32::from(item) + 1)
    }
}

/// A size as people read it, in steps of 1,000.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    for (unit, of) in UNITS {
        if bytes >= of {
            let tenths = bytes / (of / 10);
            return if tenths < 100 && !tenths.is_multiple_of(10) {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            } else {
                format!("{} {unit}", tenths / 10)
            };
        }
    }
    if bytes == 1 {
        "1 byte".to_owned()
    } else {
        format!("{bytes} bytes")
    }
}

/// Why a file could not be fetched, in a clause.
pub fn failure(reason: &MediaFailure) -> String {
    match reason {
        MediaFailure::TooLarge { max_mb } => {
            format!("it is too large: DOCKET_MEDIA_MAX_MB allows {max_mb} MB")
        }
        MediaFailure::Address => "its address is none that can be called".to_owned(),
        MediaFailure::Host { host } => {
            format!("it is from a host that is not allowed, {host}: add it to DOCKET_MEDIA_HOSTS")
        }
        MediaFailure::PrivateAddress { host } => format!(
            "{host} leads to a private address: add it to DOCKET_MEDIA_HOSTS if it is yours"
        ),
        MediaFailure::Unreachable { host } => format!("{host} could not be reached"),
        MediaFailure::Answered { status } => format!("Vonage answered {status}"),
        MediaFailure::Redirected { host } => {
            format!(
                "Vonage sent the call on to {host}, to which Docket does not go: add it to DOCKET_MEDIA_HOSTS"
            )
        }
        MediaFailure::Store => "it could not be written to the store of media".to_owned(),
        MediaFailure::Expired => {
            "Vonage deletes files after 48 hours, and Docket did not fetch it before".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_two_digits_or_more() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1 kB"),
            (1_540, "1.5 kB"),
            (182_044, "182 kB"),
            (5_000_000, "5 MB"),
            (99_950_000, "99 MB"),
            (1_234_000_000, "1.2 GB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
