//! Lists in pages: `limit`, `cursor`, and `next` in the answer.
//!
//! A cursor is the list's name and a place in it. Callers must not rely on what it looks like; a cursor of another list is refused.

use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Kind, Problem};

/// How many items a page has at most.
pub const MAX_LIMIT: u32 = 200;
/// How many items a page has where the caller does not say.
pub const DEFAULT_LIMIT: u32 = 50;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// What to give as `cursor` for the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is never long enough for pages.
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// The first `limit` of rows that were asked for with one more than `limit`; `cursor` gives the place of a row.
    pub fn of<R>(
        rows: Vec<R>,
        limit: u32,
        cursor: impl FnOnce(&R) -> String,
        item: impl FnMut(R) -> T,
    ) -> Self {
        let (rows, next) = cut(rows, limit, cursor);
        Self {
            items: rows.into_iter().map(item).collect(),
            next,
        }
    }
}

/// The first `limit` of rows that were asked for with one more than `limit`, and the place of the last of them where there are more.
pub(super) fn cut<R, P>(
    mut rows: Vec<R>,
    limit: u32,
    place: impl FnOnce(&R) -> P,
) -> (Vec<R>, Option<P>) {
    let limit = limit as usize;
    let next = if rows.len() > limit {
        rows[..limit].last().map(place)
    } else {
        None
    };
    rows.truncate(limit);
    (rows, next)
}

/// The limit that is meant by `?limit=`, within bounds.
///
/// # Errors
///
/// A problem where it is 0 or above [`MAX_LIMIT`].
pub fn limit(asked: Option<u32>, default: u32) -> Result<u32, Problem> {
    match asked {
        None => Ok(default),
        Some(limit @ 1..=MAX_LIMIT) => Ok(limit),
        Some(_) => Err(Problem::new(
            Kind::InvalidQuery,
            format!("limit must be a whole number from 1 to {MAX_LIMIT}"),
        )),
    }
}

/// A cursor of the list `list` at a place, which has a form of its own in each list.
pub fn cursor(list: &str, place: &str) -> String {
    format!("{list}:{place}")
}

/// Reads a cursor back.
///
/// # Errors
///
/// A problem where it is none, or one of another list.
pub fn place<T>(
    list: &str,
    cursor: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let place = cursor
        .strip_prefix(list)
        .and_then(|rest| rest.strip_prefix(':'))
        .and_then(parse);
    place.map(Some).ok_or_else(|| {
        Problem::new(
            Kind::InvalidCursor,
            "cursor must be what an earlier page of this list gave as `next`; leave it out to begin again",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_by_its_own_list_alone() {
        let text = cursor("cases", "7-101");
        assert_eq!(
            place("cases", Some(&text), |t| Some(t.to_owned()))
                .unwrap()
                .unwrap(),
            "7-101"
        );
        assert_eq!(place("cases", None, |t| Some(t.to_owned())).unwrap(), None);
        for wrong in [text.as_str(), "", "%", "cases", "threads:7.1"] {
            let problem = place("thread", Some(wrong), |t| Some(t.to_owned())).unwrap_err();
            assert_eq!(problem.kind(), Kind::InvalidCursor);
        }
        assert!(place("cases", Some(&text), |_| None::<()>).is_err());
    }

    #[test]
    fn a_page_knows_whether_it_is_the_last() {
        let page = Page::of(vec![1, 2, 3], 2, ToString::to_string, |n| n * 10);
        assert_eq!(
            (page.items, page.next.as_deref()),
            (vec![10, 20], Some("2"))
        );
        let page = Page::of(vec![1, 2], 2, ToString::to_string, |n| n);
        assert_eq!((page.items, page.next), (vec![1, 2], None));
    }

    #[test]
    fn limits_have_bounds() {
        assert_eq!(limit(None, 50).unwrap(), 50);
        assert_eq!(limit(Some(200), 50).unwrap(), 200);
        for wrong in [0, 201] {
            assert_eq!(
                limit(Some(wrong), 50).unwrap_err().kind(),
                Kind::InvalidQuery
            );
        }
    }
}
