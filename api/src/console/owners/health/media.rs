//! How the fetching of files stands.

use docket_projections::read::media::Standing;

use super::{Check, Tone};
use crate::console::words::media as words;

/// Judges it; `oldest` tells when the oldest file that waits came.
pub(super) fn judge(standing: &Standing, oldest: &str) -> Check {
    let title = words::HEALTH_MEDIA;
    let waiting = || words::media_waiting(standing.waiting, standing.retrying, oldest);
    if standing.failed > 0 {
        let mut sentence = words::media_failed(standing.failed);
        if standing.waiting > 0 {
            sentence = format!("{sentence} {}", waiting());
        }
        return Check::of(Tone::Look, title, sentence, words::HEALTH_MEDIA_ADVICE);
    }
    match (standing.waiting, standing.retrying) {
        (0, _) => Check::good(title, words::HEALTH_MEDIA_NONE),
        (_, 0) => Check::good(title, waiting()),
        _ => Check::of(Tone::Look, title, waiting(), words::HEALTH_MEDIA_ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_do_not_come_are_told() {
        let standing = |waiting, retrying, failed| Standing {
            waiting,
            retrying,
            failed,
            oldest: None,
        };
        for (known, tone, sentence) in [
            (
                standing(0, 0, 0),
                Tone::Good,
                "No file waits to be fetched.",
            ),
            (standing(2, 0, 0), Tone::Good, "2 files wait to be fetched."),
            (
                standing(1, 1, 0),
                Tone::Look,
                "1 file waits to be fetched, 1 of them after a try that failed; the oldest came an hour ago.",
            ),
            (
                standing(0, 0, 3),
                Tone::Look,
                "3 files could not be fetched in the last 48 hours.",
            ),
        ] {
            let check = judge(&known, "an hour ago");
            assert_eq!((check.tone, check.sentence.as_str()), (tone, sentence));
        }
    }
}
