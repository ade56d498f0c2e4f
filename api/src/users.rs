//! Making users and tokens, for the command line, the demo and the first start.

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use docket_domain::access::Access;
use docket_domain::ids::{TokenId, UserId};
use docket_domain::personal::Personal;
use docket_domain::user::{Role, UserCommand, UserError, normalise_email};
use docket_projections::accounts;
use docket_projections::ledger::operation::{LedgerError, SecretWrite};
use docket_projections::read::users;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tracing::info;

use crate::ambient;
use crate::app::App;
use crate::http::problem::Problem;
use crate::operations::Administrator;
use crate::operations::user::ChangeUser;
use crate::passwords;

/// What every token begins with, so that a leaked one can be told for what it is.
const TOKEN_PREFIX: &str = "docket_";

/// A token just made; it is shown once and kept only as a hash.
pub struct NewToken {
    /// What its owner presents.
    pub token: SecretString,
    /// What is kept of it.
    pub hash: [u8; 32],
}

impl NewToken {
    /// Makes a token of 256 random bits.
    pub fn generate() -> Self {
        let token = format!(
            "{TOKEN_PREFIX}{}",
            URL_SAFE_NO_PAD.encode(ambient::random_bytes::<32>())
        );
        Self {
            hash: hash_token(&token),
            token: token.into(),
        }
    }
}

/// What is kept of a token. It is random, so that a plain hash cannot be searched backwards.
pub fn hash_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Adds a user from the command line; a password is optional, since a user with tokens alone needs none.
///
/// # Errors
///
/// A sentence that says what to do.
pub async fn add(
    app: &App,
    email: &str,
    name: Option<&str>,
    role: Role,
    password: Option<&SecretString>,
) -> anyhow::Result<UserId> {
    let by = Administrator::CommandLine;
    add_by(app, email, name, role, password, by).await
}

async fn add_by(
    app: &App,
    email: &str,
    name: Option<&str>,
    role: Role,
    password: Option<&SecretString>,
    by: Administrator,
) -> anyhow::Result<UserId> {
    let Some(email) = normalise_email(email) else {
        bail!("{}", UserError::Email)
    };
    let user_id = UserId((app.new_id)());
    let secrets = match password {
        Some(password) => {
            let hash = passwords::hash(password.clone()).await?;
            vec![SecretWrite::Password { user_id, hash }]
        }
        None => vec![],
    };
    let command = UserCommand::Add {
        user_id,
        email: Personal(email),
        name: name.map(|name| Personal(name.to_owned())),
        role,
        access: Access::All,
    };
    submit(
        app,
        ChangeUser {
            user_id,
            command,
            secrets,
            by,
        },
    )
    .await?;
    Ok(user_id)
}

/// Adds a service account from the command line.
///
/// # Errors
///
/// A sentence that says what to do.
pub async fn add_service(app: &App, name: &str, role: Role) -> anyhow::Result<UserId> {
    let user_id = UserId((app.new_id)());
    let command = UserCommand::AddService {
        user_id,
        name: Personal(name.to_owned()),
        role,
        access: Access::All,
    };
    let operation = ChangeUser {
        user_id,
        command,
        secrets: vec![],
        by: Administrator::CommandLine,
    };
    submit(app, operation).await?;
    Ok(user_id)
}

/// Gives a user, or a service account by its name, a token from the command line, and gives it back.
///
/// # Errors
///
/// A sentence that says what to do.
pub async fn create_token(
    app: &App,
    email_or_name: &str,
    name: &str,
) -> anyhow::Result<SecretString> {
    let Some(user) = users::find_by_email_or_name(&app.pool, email_or_name).await? else {
        bail!(
            "there is no user {}; add them with `docket user add`",
            email_or_name.trim()
        );
    };
    let token_id = TokenId((app.new_id)());
    let NewToken { token, hash } = NewToken::generate();
    let user_id = user.user_id;
    let command = UserCommand::CreateToken {
        token_id,
        name: name.to_owned(),
    };
    let secrets = vec![SecretWrite::Token {
        token_id,
        user_id,
        hash,
    }];
    submit(
        app,
        ChangeUser {
            user_id,
            command,
            secrets,
            by: Administrator::CommandLine,
        },
    )
    .await?;
    Ok(token)
}

/// Whether that is somebody's password now. What an idempotency key stands for leaves passwords out, so a request that repeats a key
/// asks this before it says that its password was set.
///
/// # Errors
///
/// Where the database is away, or too many passwords are checked already.
pub async fn has_password(app: &App, email: &str, password: SecretString) -> Result<bool, Problem> {
    match accounts::password_hash(&app.pool, email).await? {
        Some(known) => {
            let is_right = passwords::verify_inside(password, known.password_hash, email).await;
            is_right.map_err(crate::http::users::unhashed)
        }
        None => Ok(false),
    }
}

/// Makes the first owner, unless there is any user.
///
/// # Errors
///
/// A sentence that says what to do.
pub async fn ensure_first_owner(
    app: &App,
    email: &str,
    password: &SecretString,
) -> anyhow::Result<()> {
    if users::all(&app.pool).await?.is_empty() {
        if passwords::check(password.expose_secret()).is_err() {
            bail!(
                "DOCKET_OWNER_PASSWORD must have {} characters or more",
                passwords::MIN_CHARS
            );
        }
        match add_by(
            app,
            email,
            None,
            Role::Owner,
            Some(password),
            Administrator::System,
        )
        .await
        {
            Ok(_) => info!("the first owner was made"),
            // Another process that started at the same moment was faster.
            Err(_) if users::find_by_email(&app.pool, email).await?.is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn submit(app: &App, operation: ChangeUser) -> anyhow::Result<()> {
    match app.ledger.submit(operation).await {
        Ok(_) => Ok(()),
        Err(LedgerError::Refused(refusal)) => bail!("{refusal}"),
        Err(error) => bail!("{error}; try again"),
    }
}
