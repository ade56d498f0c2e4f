//! Docket: conversations by SMS and WhatsApp as cases.
//!
//! The service, its HTTP and its command line. Requests come in by [`webhooks`], the JSON API in [`http`] and the
//! [`console`], become [`operations`] for the ledger, and answers leave by [`delivery`].

pub mod activity;
pub mod ambient;
pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod connections;
pub mod console;
pub mod delivery;
pub mod evidence;
pub mod export;
pub mod housekeeping;
pub mod http;
pub mod maintenance;
pub mod media;
pub mod mentions;
pub mod operations;
pub mod passwords;
pub mod people;
pub mod reach;
pub mod rebuilding;
pub mod reports;
pub mod rerouting;
pub mod secrets;
pub mod serve;
pub mod simulator;
pub mod site;
pub mod snoozes;
pub mod store;
pub mod users;
pub mod vonage;
pub mod vonage_settings;
pub mod webhooks;
