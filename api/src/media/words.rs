//! What is said of a file that is not there.

use docket_projections::history::media_failure;
use docket_projections::read::media::MediaState;

/// What is missing, and why, in a sentence; nothing where the file is kept.
pub fn missing(state: &MediaState) -> Option<String> {
    match state {
        MediaState::Stored(_) => None,
        MediaState::Waiting { last: None } => {
            Some("The file is not here yet: Docket is fetching it.".to_owned())
        }
        MediaState::Waiting { last: Some(last) } => Some(format!(
            "The file is not here yet: {} at {}. Docket tries again at {} UTC.",
            media_failure(&last.failure),
            last.at.format("%H:%M"),
            last.next_at.format("%H:%M")
        )),
        MediaState::Failed(failure) => {
            Some(format!("The file is not kept: {}.", media_failure(failure)))
        }
    }
}
