//! Rules about what people write: its normal form, numbers, references, titles, the automatic reply, frequent answers, opt-out words and the
//! parts an SMS is cut into.

pub mod auto_reply;
pub mod normalise;
pub mod opt_out;
pub mod phone;
pub mod references;
pub mod segments;
pub mod template;
pub mod title;
