//! What the black-box tests stand on.
//!
//! An [`Installation`](installation::Installation) is a database of its own and a simulated Vonage; on it run as many
//! [`Docket`](docket::Docket) processes as a test wants, each the real binary with real sockets. [`Api`](api::Api) speaks to them as
//! a client does, [`Webhooks`](webhooks::Webhooks) as Vonage does, and [`log`] looks at what they wrote. Whatever a test waits for,
//! it waits for with [`wait_until`](waiting::wait_until).
//!
//! Everything that a test starts ends with it, however it ends.

#![expect(
    clippy::missing_panics_doc,
    reason = "these are helpers of tests, which fail by panicking"
)]

pub mod api;
pub mod cpu;
pub mod docket;
pub mod help_desk;
pub mod installation;
pub mod log;
pub mod proxy;
pub mod server;
pub mod waiting;
pub mod webhooks;
