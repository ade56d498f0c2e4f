//! Secrets that are kept beside the log, in the transaction of the events that tell of them.

use chrono::{DateTime, Utc};
use docket_domain::ids::{SessionId, TokenId, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::read::writes::Statement;
use crate::secrets::SealedSecret;

/// A secret that is kept beside the log, or is kept no more.
#[derive(Clone)]
pub enum SecretWrite {
    /// A person's password, hashed.
    Password {
        /// The person.
        user_id: UserId,
        /// The hash in PHC form.
        hash: String,
    },
    /// A token.
    Token {
        /// The token's id.
        token_id: TokenId,
        /// Whose it is.
        user_id: UserId,
        /// SHA-256 of the token.
        hash: [u8; 32],
    },
    /// A session that begins.
    Session {
        /// Its id.
        session_id: SessionId,
        /// SHA-256 of what the browser keeps.
        token_hash: [u8; 32],
        /// Whose it is.
        user_id: UserId,
        /// The hash that their password was compared with; with another one by now, the session does not begin.
        password_hash: String,
        /// The browser in a few words.
        label: String,
        /// When it begins.
        created_at: DateTime<Utc>,
        /// When it ends at the latest.
        expires_at: DateTime<Utc>,
    },
    /// A session that ends.
    SessionEnd {
        /// Its id.
        session_id: SessionId,
        /// Whose it is.
        user_id: UserId,
    },
    /// A person's sessions end.
    EndSessions {
        /// The person.
        user_id: UserId,
        /// The one session that goes on.
        but: Option<Uuid>,
    },
    /// A secret of the installation.
    Installation {
        /// Its name.
        name: &'static str,
        /// The secret, encrypted; `None` removes it.
        sealed: Option<SealedSecret>,
    },
}

impl std::fmt::Debug for SecretWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::Token { .. } => "Token(…)",
            Self::Session { .. } => "Session(…)",
            Self::SessionEnd { .. } => "SessionEnd(…)",
            Self::EndSessions { .. } => "EndSessions(…)",
            Self::Installation { .. } => "Installation(…)",
        })
    }
}

const SET_PASSWORD: &str = "INSERT INTO credentials (user_id, password_hash)
     SELECT r.user_id, r.hash FROM jsonb_to_recordset($1) AS r (user_id uuid, hash text)
     ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash";
const ADD_TOKEN: &str = "INSERT INTO token_secrets (token_id, user_id, hash)
     SELECT r.token_id, r.user_id, decode(r.hash, 'hex')
       FROM jsonb_to_recordset($1) AS r (token_id uuid, user_id uuid, hash text)";
const BEGIN_SESSION: &str = "SELECT begin_session(r) FROM jsonb_array_elements($1) AS r";
const END_SESSION: &str = "DELETE FROM sessions s
      USING jsonb_to_recordset($1) AS r (session_id uuid, user_id uuid)
      WHERE s.session_id = r.session_id AND s.user_id = r.user_id";
const END_SESSIONS: &str = "DELETE FROM sessions s
      USING jsonb_to_recordset($1) AS r (user_id uuid, but uuid)
      WHERE s.user_id = r.user_id AND s.session_id IS DISTINCT FROM r.but";
const KEEP_SECRET: &str = "INSERT INTO installation_secrets (name, nonce, ciphertext)
     SELECT r.name, decode(r.nonce, 'hex'), decode(r.ciphertext, 'hex')
       FROM jsonb_to_recordset($1) AS r (name text, nonce text, ciphertext text)
     ON CONFLICT (name) DO UPDATE SET nonce = excluded.nonce, ciphertext = excluded.ciphertext";
const FORGET_SECRET: &str = "DELETE FROM installation_secrets s
      USING jsonb_to_recordset($1) AS r (name text) WHERE s.name = r.name";

impl SecretWrite {
    /// The statement that writes it.
    pub(crate) fn into_statement(self) -> Statement {
        let (sql, row) = match self {
            Self::Password { user_id, hash } => {
                (SET_PASSWORD, json!({"user_id": user_id.0, "hash": hash}))
            }
            Self::Token {
                token_id,
                user_id,
                hash,
            } => (
                ADD_TOKEN,
                json!({"token_id": token_id.0, "user_id": user_id.0, "hash": hex::encode(hash)}),
            ),
            Self::Session {
                session_id,
                token_hash,
                user_id,
                password_hash,
                label,
                created_at,
                expires_at,
            } => (
                BEGIN_SESSION,
                json!({
                    "session_id": session_id.0,
                    "token_hash": hex::encode(token_hash),
                    "user_id": user_id.0,
                    "password_hash": password_hash,
                    "label": label,
                    "created_at": created_at,
                    "expires_at": expires_at,
                }),
            ),
            Self::SessionEnd {
                session_id,
                user_id,
            } => (
                END_SESSION,
                json!({"session_id": session_id.0, "user_id": user_id.0}),
            ),
            Self::EndSessions { user_id, but } => {
                (END_SESSIONS, json!({"user_id": user_id.0, "but": but}))
            }
            Self::Installation {
                name,
                sealed: Some(sealed),
            } => (
                KEEP_SECRET,
                json!({
                    "name": name,
                    "nonce": hex::encode(sealed.nonce),
                    "ciphertext": hex::encode(sealed.ciphertext),
                }),
            ),
            Self::Installation { name, sealed: None } => (FORGET_SECRET, json!({"name": name})),
        };
        Statement {
            sql,
            rows: json!([row]).to_string(),
        }
    }
}
