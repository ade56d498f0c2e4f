//! What goes out by `WhatsApp`: free text outside of the window, and templates.

use super::session::Posted;
use crate::operations::reply::SendAs;

/// As what the text of a form is to be sent.
pub(super) fn send_as(posted: &Posted) -> SendAs {
    if posted.field("outside_window") == "yes" {
        SendAs::TextOutsideWindow
    } else {
        SendAs::Text
    }
}
