//! Rules of this house that no compiler or lint checks: which crate may use which, what source text may not hold, how
//! migrations are named, and that the links of the documentation lead somewhere.
//!
//! Every rule is a function from what it looks at to the breaches it finds, one sentence each. It is tested twice: on a
//! small example that breaks it, and on the tree. To add a rule, write both tests.

mod dependencies;
mod documents;
mod migrations;
mod modules;
mod samples;
mod source_text;
mod sources;
mod templates;
mod tree;

/// Fails with one line for each breach.
fn assert_none(breaches: &[String]) {
    assert!(
        breaches.is_empty(),
        "{} breaches:\n{}",
        breaches.len(),
        breaches.join("\n")
    );
}
