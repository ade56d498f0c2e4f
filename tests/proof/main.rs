//! Proofs of the write path: a model beside the real stack, crashes, freezes, a bad network, and growth.
//!
//! Each comes in a short form, which runs with all other tests, and in a full form of any length (`make prove-model`,
//! `make prove-crash`, `make prove-growth`). They are black boxes: the real binary, real sockets, a real Postgres. What they show
//! stands in `docs/reliability.md`.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]
#![expect(
    clippy::print_stdout,
    reason = "a proof prints its seed, its steps and its numbers"
)]

mod crash;
mod growth;
mod load;
mod model;
mod report;
mod trouble;
mod verdict;
