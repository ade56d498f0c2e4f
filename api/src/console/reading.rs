//! What a person has read: marks move when a case is looked at, and can be set back.
//!
//! A mark moves with a page that somebody asked for, and with one that the script fetches while its page can be seen; not with what
//! a browser fetches ahead or behind another tab. Auditors have no marks, since nothing waits for them.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use docket_domain::ids::Reference;
use docket_projections::read::cases;
use docket_projections::read_marks;
use tracing::warn;

use super::case::{no_such_case, reference_of};
use super::place::Place;
use super::session::{Posted, Session};
use super::{Console, Failed, go};
use crate::app::App;
use crate::http::request_id::is_head;

/// What the script says when it fetches a page anew: `shown` or `hidden`, as the page is that it puts it into.
const LIVE: &str = "docket-live";
/// How far that page's reader had read; what came after is marked as new. Without it nothing is.
const READ_TO: &str = "docket-read-to";

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Somebody opened it.
    Opened,
    /// The browser fetched it ahead, and perhaps nobody will look.
    Ahead,
    /// The script fetched it anew for a page that is open.
    Again {
        /// Whether that page can be seen.
        is_shown: bool,
        /// How far its reader had read.
        read_to: Option<u64>,
    },
}

impl Look {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(live) = text(LIVE) {
            return Self::Again {
                is_shown: live == "shown",
                read_to: text(READ_TO).and_then(|read_to| read_to.parse().ok()),
            };
        }
        let is_ahead = ["sec-purpose", "purpose", "x-moz"]
            .into_iter()
            .filter_map(text)
            .any(|purpose| purpose.contains("prefetch"));
        if is_ahead { Self::Ahead } else { Self::Opened }
    }

    /// The same for what only a script fetches: whoever does not say that somebody sees it has nobody see it.
    pub(super) const fn by_script(self) -> Self {
        match self {
            Self::Opened | Self::Ahead => Self::Again {
                is_shown: false,
                read_to: None,
            },
            again @ Self::Again { .. } => again,
        }
    }

    const fn is_seen(self) -> bool {
        match self {
            Self::Opened => true,
            Self::Ahead => false,
            Self::Again { is_shown, .. } => is_shown,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Look {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// How far the person had read the case before they look now: the divider stands behind it. `None` where there is none. `marked` is
/// how far they have read it by their mark.
pub(super) fn left_off(session: &Session, look: Look, marked: Option<u64>) -> Option<u64> {
    match look {
        Look::Again { read_to, .. } => read_to,
        Look::Opened | Look::Ahead => marked.filter(|_| session.may_act()),
    }
}

/// Notes that the person was shown the case as far as `read_to`, if they look at it and their mark does not stand there already. A
/// database that takes no changes must not keep them from reading.
pub(super) async fn has_seen(
    app: &App,
    session: &Session,
    reference: Reference,
    look: Look,
    marked: Option<u64>,
    read_to: u64,
) {
    if look.is_seen()
        && session.may_act()
        && marked.is_none_or(|marked| marked < read_to)
        && !is_head()
        && let Err(error) =
            read_marks::advance(&app.pool, session.user_id, reference, read_to).await
    {
        app.ledger.watch().suspect(&error);
        warn!(%error, "how far somebody has read a case could not be noted");
    }
}

/// Sets the mark back before the last message, and leads to the list.
pub(super) async fn mark_unread(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    _: Posted,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    if cases::find(&app.pool, reference).await?.is_none() {
        return Ok(no_such_case());
    }
    read_marks::set_unread(&app.pool, session.user_id, &[reference]).await?;
    Ok(go(&place.link_with("/", &[("done", "unread")])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(headers: &[(&'static str, &'static str)]) -> Look {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Look::of(&headers.collect())
    }

    #[test]
    fn only_what_somebody_can_see_is_read() {
        assert!(look(&[]).is_seen());
        assert!(look(&[("docket-live", "shown")]).is_seen());
        assert!(!look(&[("docket-live", "hidden")]).is_seen());
        assert!(!look(&[("sec-purpose", "prefetch;prerender")]).is_seen());
        assert!(!look(&[("purpose", "prefetch")]).is_seen());
    }

    #[test]
    fn the_script_says_how_far_the_reader_was() {
        let again = look(&[("docket-live", "shown"), ("docket-read-to", "12")]);
        let read_to = Some(12);
        assert_eq!(
            again,
            Look::Again {
                is_shown: true,
                read_to
            }
        );
        let again = look(&[("docket-live", "hidden"), ("docket-read-to", "x")]);
        let read_to = None;
        assert_eq!(
            again,
            Look::Again {
                is_shown: false,
                read_to
            }
        );
        // Without the other it says nothing.
        assert_eq!(look(&[("docket-read-to", "12")]), Look::Opened);
    }
}
