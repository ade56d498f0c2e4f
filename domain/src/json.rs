//! How deep JSON may be nested: what others send, and what stands in the log.
//!
//! Some messages are kept as Vonage gave them, as trees of any shape. A reader of JSON goes down into a tree by calling itself and
//! so must have a limit; the usual one is 127 levels. A tree just below it can be read as it comes, and no longer when it stands
//! some levels deeper, in an event: an event that nobody can read again. So [`MAX_FOREIGN_DEPTH`] is asked of whatever is to become part of an
//! event, with much room below the limit; and [`read_stored`] reads without one, for the logs that took in deeper trees before.

use serde::de::DeserializeOwned;

/// How many lists and objects may stand in one another in JSON of others that becomes part of an event.
pub const MAX_FOREIGN_DEPTH: usize = 64;

/// How many lists and objects stand in one another at the deepest place of a JSON text. What is no JSON has some depth too.
pub fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match (in_string, byte) {
            (_, b'"') => in_string = !in_string,
            // The next one belongs to it, and may be a quotation mark.
            (true, b'\\') => {
                bytes.next();
            }
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads JSON that Docket wrote, however deep it is.
///
/// That is safe with what Docket wrote, and with nothing else: a tree of somebody else's came in through a reader with the usual limit,
/// and an event puts some ten levels around it, so the stack is never asked for more than 140 levels or so.
///
/// # Errors
///
/// The JSON error, where the text is no such value.
pub fn read_stored<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn depth_counts_what_stands_in_one_another() {
        for (json, expected) in [
            ("1", 0),
            ("\"[{\"", 0),
            (r#""\"[""#, 0),
            (r#""\\" "#, 0),
            ("[]", 1),
            ("[[], {}]", 2),
            (r#"{"a": [{"b]": "\\"}], "c": []}"#, 3),
            ("]][[", 2),
        ] {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn what_is_stored_is_read_however_deep_it_is() {
        let deep = "[".repeat(140) + &"]".repeat(140);
        assert!(serde_json::from_str::<Value>(&deep).is_err());
        assert_eq!(read_stored::<Value>(&deep).unwrap().to_string(), deep);
        assert!(read_stored::<Value>("1 2").is_err());
    }
}
