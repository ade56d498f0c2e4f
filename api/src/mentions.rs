//! Whom a note mentions.

use docket_domain::ids::UserId;
use docket_domain::text::mentions::{self, Person};
use docket_domain::user::UserKind;
use docket_projections::DatabaseError;
use docket_projections::read::users;

use crate::app::App;

/// Those whom the text mentions by `@` and what they are called; people alone, and nobody who was removed.
///
/// # Errors
///
/// The database's error.
pub async fn of(app: &App, text: &str) -> Result<Vec<UserId>, DatabaseError> {
    if !text.contains(['@', '\u{ff20}']) {
        return Ok(vec![]);
    }
    let users = users::all(&app.pool).await?.into_iter();
    let people: Vec<Person> = users
        .filter(|user| user.kind() == UserKind::Person)
        .map(|user| Person {
            user_id: user.user_id,
            email: user.email.0,
            name: user.name.map(|name| name.0),
        })
        .collect();
    Ok(mentions::find(&text.replace('\u{ff20}', "@"), &people))
}
