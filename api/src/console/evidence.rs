//! The proof of a case on its history page, and the button that exports it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use docket_domain::ids::Reference;
use docket_domain::people::export::Via;
use docket_projections::evidence::mark::{self, Mark};

use super::case::{no_such_case, reference_of};
use super::owners::health::Tone;
use super::session::{Posted, Session};
use super::{Console, Failed, words};
use crate::app::App;
use crate::evidence::bundle::BundleError;
use crate::http::bundle::file;
use crate::http::problem::Problem;

/// What the history page says of the proof.
pub(super) struct Proof {
    pub(super) tone: Tone,
    pub(super) sentence: String,
    /// The time of the checkpoint, for the script that writes it as people read it.
    pub(super) signed: Option<SignedAt>,
    /// Where the button leads; only for those who may export.
    pub(super) action: Option<String>,
}

/// When a checkpoint was signed.
pub(super) struct SignedAt {
    pub(super) iso: String,
    pub(super) text: String,
}

impl Proof {
    pub(super) async fn of(
        app: &App,
        session: &Session,
        reference: Reference,
    ) -> Result<Self, Failed> {
        let mark = mark::of_case(&app.pool, reference).await?;
        let (tone, sentence, signed) = match mark {
            Mark::Unsigned => (Tone::Look, words::PROOF_UNSIGNED.to_owned(), None),
            Mark::Verified {
                size,
                signed_at,
                is_whole,
            } => {
                let signed = SignedAt {
                    iso: signed_at.to_rfc3339(),
                    text: signed_at.format("%Y-%m-%d %H:%M UTC").to_string(),
                };
                (
                    Tone::Good,
                    words::proof_verified(size, is_whole),
                    Some(signed),
                )
            }
            Mark::Altered { position } => (Tone::Act, words::proof_altered(position), None),
        };
        Ok(Self {
            tone,
            sentence,
            signed,
            action: session
                .oversees()
                .then(|| format!("/cases/{reference}/bundle")),
        })
    }
}

/// A case with its proof, as a file. It is a form that is sent, since it leaves a trace in the person's name.
pub(super) async fn export(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    session: Session,
    _: Posted,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    let metadata = session.asked().metadata();
    match file(&app, reference, Via::Console, metadata).await {
        Ok(answer) => Ok(answer.into_response()),
        Err(BundleError::NoSuchCase(_)) => Ok(no_such_case()),
        Err(error) => Err(Failed(Problem::from(error))),
    }
}
