//! What is true of cases, without any I/O, clock or randomness.
//!
//! Everything here is a pure function of its arguments: times and identifiers come in as parameters, so that a decision can be
//! repeated years later from the log alone.
//!
//! The aggregates ([`case::Case`], [`contact::profile::Contact`], [`survey::Survey`], [`line::Line`], [`held::Held`], [`user::User`],
//! [`installation::Installation`], [`label::Labels`], and those of [`people`]) implement cqrs-es's `Aggregate`; each has a pure `decide` and `evolve`
//! of its own, which that implementation calls.

pub mod access;
pub mod automatic;
pub mod case;
pub mod channel;
pub mod contact;
pub mod content;
pub mod delivery;
pub mod event;
pub mod held;
pub mod ids;
pub mod installation;
pub mod json;
pub mod label;
pub mod line;
pub mod media;
pub mod office_hours;
pub mod opt_out;
pub mod people;
pub mod personal;
pub mod routing;
pub mod survey;
pub mod text;
pub mod user;
pub mod whatsapp_template;
pub mod window;
