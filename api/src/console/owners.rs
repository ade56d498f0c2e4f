//! Pages about people and about how Docket is doing: users, tokens, one's own account, what is unrouted, health and reports.
//!
//! Owners act on them and auditors read them; one's own account and tokens are everybody's. What always holds: a page that an
//! auditor sees has no form that would be refused, and a secret is shown in the answer to the form that made it and nowhere else. To
//! add a page: its routes here, behind the door it belongs to, and a row in the tests' table of these routes.

mod account;
mod handover;
pub(super) mod health;
mod preferences;
mod reports;
mod services;
mod tokens;
mod unrouted;
mod users;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

use super::Console;
use super::session::{anybody, may_act, may_set_up, oversees};

/// The pages. Stands behind [`super::session::inside`].
pub(super) fn router() -> Router<Console> {
    let set_up = Router::new()
        .route("/users/new", get(users::new))
        .route("/users", post(users::add))
        .route("/users/services/new", get(services::new))
        .route("/users/services", post(services::add))
        .route("/users/{user_id}/tokens", post(services::create_token))
        .route("/users/{user_id}/name", post(users::set_name))
        .route("/users/{user_id}/rights", post(users::change_rights))
        .route("/users/{user_id}/password", post(users::set_password))
        .route("/users/{user_id}/remove", post(users::remove))
        .route("/users/{user_id}/cases", post(users::hand_over))
        .route("/unrouted/{held_id}/route", post(unrouted::route))
        .route("/unrouted/route", post(unrouted::route_all))
        .route("/health/lines/{line_id}/resume", post(health::resume))
        .route_layer(middleware::from_fn(may_set_up));
    let seen = Router::new()
        .route("/users", get(users::list))
        .route("/users/{user_id}", get(users::show))
        .route("/unrouted", get(unrouted::list))
        .route("/health", get(health::show))
        .route("/reports", get(reports::show))
        .route("/reports/{table}", get(reports::download))
        .route_layer(middleware::from_fn(oversees));
    let acting = Router::new()
        .route("/tokens", post(tokens::create))
        .route("/tokens/{token_id}/revoke", post(tokens::revoke))
        .route_layer(middleware::from_fn(may_act));
    Router::new()
        .route("/account", get(account::show))
        .route("/account/name", post(preferences::name))
        .route(
            "/account/notifications",
            post(preferences::change_notifications),
        )
        .route(
            "/account/preferences",
            post(preferences::change_preferences),
        )
        .route("/account/password", post(account::change_password))
        .route("/tokens", get(tokens::list))
        .route_layer(middleware::from_fn(anybody))
        .merge(set_up)
        .merge(seen)
        .merge(acting)
}
