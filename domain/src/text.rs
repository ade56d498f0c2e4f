//! Rules about what people write: its normal form, numbers, references, titles, the automatic reply, frequent answers,
//! opt-out words, the parts an SMS is cut into, and the words that a search finds.

pub mod auto_reply;
pub mod mentions;
pub mod normalise;
pub mod opt_out;
pub mod phone;
pub mod references;
pub mod search;
pub mod segments;
pub mod template;
pub mod time_zone;
pub mod title;
