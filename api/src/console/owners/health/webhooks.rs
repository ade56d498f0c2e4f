//! How the webhooks are, judged by those that came of late.
//!
//! A pure function of counts: [`judge`]. What always holds: a single stray request never calls for
//! the owner, whoever sent it, and a trouble that lasts always does. Webhooks whose signature was
//! right prove that secret and addresses are right, so troubles are weighed against them.

use docket_projections::activity::Recent;

use super::Tone;
use crate::console::words;

/// So many wrong signatures, and none that is right, are no stray request any more.
const SEVERAL: u64 = 2;
/// So many in a window are enough to judge by their share.
const ENOUGH: u64 = 3;

/// Outcomes of webhooks whose signature was right.
pub(in crate::console) const GENUINE: [&str; 4] =
    ["accepted", "duplicate", "unrouted", "unavailable"];

/// What is known of the webhooks.
#[derive(Debug, Default)]
pub(in crate::console) struct Known {
    /// Whether there is a secret to check signatures with.
    pub(in crate::console) has_secret: bool,
    /// How long ago the last one with a right signature came, in words; `None` for never.
    pub(in crate::console) last_genuine: Option<String>,
    /// What became of those of the last day and the last hour.
    pub(in crate::console) recent: Vec<Recent>,
}

/// A sentence, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::console) struct Remark {
    pub(in crate::console) tone: Tone,
    pub(in crate::console) sentence: String,
    pub(in crate::console) advice: &'static str,
    /// Where to do it.
    pub(in crate::console) href: Option<&'static str>,
}

/// Counts of one window.
struct Window<'a> {
    recent: &'a [Recent],
    count: fn(&Recent) -> u64,
}

impl Window<'_> {
    fn of(&self, results: &[&str]) -> u64 {
        let known = self
            .recent
            .iter()
            .filter(|recent| results.contains(&recent.result.as_str()));
        known.map(self.count).sum()
    }

    fn genuine(&self) -> u64 {
        self.of(&GENUINE)
    }
}

impl Known {
    fn hour(&self) -> Window<'_> {
        Window {
            recent: &self.recent,
            count: |recent| recent.lately,
        }
    }

    fn day(&self) -> Window<'_> {
        Window {
            recent: &self.recent,
            count: |recent| recent.count,
        }
    }

    /// How often something came to that in the window that tells of now: the last hour, or the last
    /// day where nothing of its kind came in the hour, and how many genuine ones came beside it.
    fn now(&self, results: &[&str]) -> (u64, u64, &'static str) {
        let hour = self.hour();
        match (hour.of(results), hour.genuine()) {
            (0, 0) => {
                let day = self.day();
                (day.of(results), day.genuine(), words::IN_THE_LAST_DAY)
            }
            (bad, good) => (bad, good, words::IN_THE_LAST_HOUR),
        }
    }
}

/// Judges the webhooks: what goes wrong first, and then when the last one came.
pub(in crate::console) fn judge(known: &Known) -> Vec<Remark> {
    let act_at_vonage = |sentence: &str, advice| Remark {
        tone: Tone::Act,
        sentence: sentence.to_owned(),
        advice,
        href: Some("/vonage"),
    };
    if !known.has_secret {
        return vec![act_at_vonage(
            words::HEALTH_NO_SECRET,
            words::HEALTH_SET_VONAGE,
        )];
    }
    let mut remarks: Vec<Remark> = [unsigned(known), wrongly_signed(known), unavailable(known)]
        .into_iter()
        .flatten()
        .collect();
    remarks.extend(misdirected(known));
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.tone));
    match &known.last_genuine {
        Some(ago) => remarks.push(Remark {
            tone: Tone::Good,
            sentence: words::last_webhook(ago),
            advice: "",
            href: None,
        }),
        None if remarks.is_empty() => remarks.push(Remark {
            tone: Tone::Look,
            sentence: words::HEALTH_NO_WEBHOOK.to_owned(),
            advice: words::HEALTH_NO_WEBHOOK_ADVICE,
            href: Some("/setup"),
        }),
        None => {}
    }
    remarks
}

/// Vonage sends one without a signature at times and repeats it with one, so few among many are as
/// they should be.
fn unsigned(known: &Known) -> Option<Remark> {
    let (bad, good, window) = known.now(&["unsigned"]);
    let tone = match (bad, good) {
        (0, _) => return None,
        (_, 0) if known.last_genuine.is_none() => Tone::Act,
        (bad, 0) if bad >= ENOUGH => Tone::Act,
        (bad, good) if bad >= ENOUGH && bad > good => Tone::Act,
        (_, 0) => Tone::Look,
        _ => return None,
    };
    Some(Remark {
        tone,
        sentence: words::came(bad, "without a signature and", "not taken", window),
        advice: words::HEALTH_UNSIGNED_ADVICE,
        href: None,
    })
}

fn wrongly_signed(known: &Known) -> Option<Remark> {
    let (bad, good, window) = known.now(&["wrongly_signed"]);
    let tone = match (bad, good) {
        (0, _) => return None,
        (bad, 0) if bad >= SEVERAL => Tone::Act,
        (bad, good) if bad >= ENOUGH && bad > good => Tone::Act,
        // One in ten and more.
        (bad, good) if bad >= ENOUGH && bad * 9 >= good => Tone::Look,
        (_, 0) if known.last_genuine.is_none() => Tone::Look,
        _ => return None,
    };
    Some(Remark {
        tone,
        sentence: words::came(bad, "with a wrong signature and", "refused", window),
        advice: words::HEALTH_WRONG_SECRET,
        href: Some("/vonage"),
    })
}

fn unavailable(known: &Known) -> Option<Remark> {
    let hour = known.hour();
    let bad = hour.of(&["unavailable"]);
    let taken = hour.genuine() - bad;
    let tone = match bad {
        0 => return None,
        bad if bad >= ENOUGH && bad > taken => Tone::Act,
        _ => Tone::Look,
    };
    Some(Remark {
        tone,
        sentence: words::came(bad, "and", "not recorded", words::IN_THE_LAST_HOUR),
        advice: words::HEALTH_UNAVAILABLE_ADVICE,
        href: None,
    })
}

/// What the settings at Vonage, or what stands between Vonage and us, make of webhooks.
fn misdirected(known: &Known) -> Vec<Remark> {
    let day = known.day();
    let kinds: [(&[&str], &str, &'static str, Option<&'static str>); 6] = [
        (
            &["too_large"],
            "that were too large",
            words::HEALTH_TOO_LARGE_ADVICE,
            None,
        ),
        (
            &["incomplete"],
            "that broke off",
            words::HEALTH_INCOMPLETE_ADVICE,
            None,
        ),
        (
            &["swapped"],
            "at the other one's address",
            words::HEALTH_SWAPPED_ADVICE,
            Some("/vonage"),
        ),
        (
            &["wrong_address"],
            "at a wrong address",
            words::HEALTH_WRONG_ADDRESS_ADVICE,
            Some("/vonage"),
        ),
        (
            &["wrong_method"],
            "with another method than POST",
            words::HEALTH_WRONG_METHOD_ADVICE,
            None,
        ),
        (
            &["older_api"],
            "in the form of an older API",
            words::HEALTH_OLDER_API_ADVICE,
            None,
        ),
    ];
    kinds
        .into_iter()
        .filter_map(|(results, how, advice, href)| {
            let count = day.of(results);
            (count > 0).then(|| Remark {
                tone: Tone::Look,
                sentence: words::came(count, how, "", words::IN_THE_LAST_DAY),
                advice,
                href,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Tone::{Act, Good, Look};
    use super::*;

    /// Outcomes with their counts of the last hour and of the last day.
    type Counts = &'static [(&'static str, u64, u64)];

    fn known(counts: Counts, last_genuine: Option<&str>) -> Known {
        let recent = counts.iter().map(|(result, lately, count)| Recent {
            result: (*result).to_owned(),
            lately: *lately,
            count: *count,
        });
        Known {
            has_secret: true,
            last_genuine: last_genuine.map(str::to_owned),
            recent: recent.collect(),
        }
    }

    #[test]
    #[expect(
        clippy::too_many_lines,
        reason = "a table of counts and what they mean"
    )]
    fn counts_are_judged_by_what_came_of_late() {
        let cases: [(Counts, Option<&str>, Tone, &[&str]); 24] = [
            (&[], None, Look, &["No webhook has come"]),
            (
                &[],
                Some("8 days ago"),
                Good,
                &["The last one came 8 days ago."],
            ),
            (
                &[("accepted", 5, 90)],
                Some("just now"),
                Good,
                &["just now"],
            ),
            // Only unsigned ones: signing is off, or a proxy drops the header.
            (
                &[("unsigned", 1, 1)],
                None,
                Act,
                &["1 webhook came in the last hour without a signature"],
            ),
            (
                &[("unsigned", 0, 4)],
                None,
                Act,
                &["4 webhooks came in the last 24 hours without a signature"],
            ),
            (
                &[("unsigned", 1, 1)],
                Some("2 days ago"),
                Look,
                &["without a signature", "2 days ago"],
            ),
            (
                &[("unsigned", 3, 3)],
                Some("2 days ago"),
                Act,
                &["without a signature", "2 days ago"],
            ),
            // Vonage's habit.
            (
                &[("unsigned", 2, 9), ("accepted", 40, 900)],
                Some("just now"),
                Good,
                &["just now"],
            ),
            (
                &[("unsigned", 1, 1), ("accepted", 1, 1)],
                Some("just now"),
                Good,
                &["just now"],
            ),
            // Signing was turned off half an hour ago.
            (
                &[("unsigned", 30, 30), ("accepted", 12, 900)],
                Some("just now"),
                Act,
                &["30 webhooks", "just now"],
            ),
            // One stranger's POST, before and after Vonage's first.
            (
                &[("wrongly_signed", 1, 1)],
                None,
                Look,
                &["1 webhook came in the last hour with a wrong signature"],
            ),
            (
                &[("wrongly_signed", 1, 1)],
                Some("9 days ago"),
                Good,
                &["9 days ago"],
            ),
            (
                &[("wrongly_signed", 1, 1), ("accepted", 1, 1)],
                Some("just now"),
                Good,
                &["just now"],
            ),
            (
                &[("wrongly_signed", 2, 2), ("accepted", 90, 900)],
                Some("just now"),
                Good,
                &["just now"],
            ),
            // The secret is another one.
            (
                &[("wrongly_signed", 2, 2)],
                None,
                Act,
                &["2 webhooks came in the last hour with a wrong signature"],
            ),
            (
                &[("wrongly_signed", 0, 5)],
                Some("2 days ago"),
                Act,
                &["5 webhooks came in the last 24 hours", "2 days ago"],
            ),
            (
                &[("wrongly_signed", 8, 8), ("accepted", 3, 900)],
                Some("just now"),
                Act,
                &["8 webhooks", "just now"],
            ),
            (
                &[("wrongly_signed", 10, 10), ("accepted", 60, 900)],
                Some("just now"),
                Look,
                &["10 webhooks", "just now"],
            ),
            // It was mended: good ones come again.
            (
                &[("wrongly_signed", 0, 50), ("accepted", 3, 3)],
                Some("just now"),
                Good,
                &["just now"],
            ),
            (
                &[("unavailable", 4, 4), ("accepted", 1, 1)],
                Some("just now"),
                Act,
                &["not recorded", "just now"],
            ),
            (
                &[("unavailable", 1, 1), ("accepted", 9, 9)],
                Some("just now"),
                Look,
                &["not recorded", "just now"],
            ),
            (
                &[("unavailable", 0, 90), ("accepted", 9, 9)],
                Some("just now"),
                Good,
                &["just now"],
            ),
            (
                &[
                    ("accepted", 9, 9),
                    ("swapped", 9, 9),
                    ("older_api", 0, 2),
                    ("wrong_address", 1, 1),
                    ("wrong_method", 1, 1),
                ],
                Some("just now"),
                Look,
                &[
                    "at the other one's address",
                    "at a wrong address",
                    "another method",
                    "older API",
                    "just now",
                ],
            ),
            (
                &[("too_large", 1, 1), ("incomplete", 0, 1)],
                None,
                Look,
                &["too large", "broke off"],
            ),
        ];
        for (counts, last, tone, sentences) in cases {
            let remarks = judge(&known(counts, last));
            let said: Vec<_> = remarks
                .iter()
                .map(|remark| remark.sentence.as_str())
                .collect();
            assert_eq!(said.len(), sentences.len(), "{counts:?}: {said:?}");
            for (said, sentence) in said.iter().zip(sentences) {
                assert!(said.contains(sentence), "{counts:?}: {said}");
            }
            let worst = remarks.iter().map(|remark| remark.tone).max();
            assert_eq!(worst, Some(tone), "{counts:?}: {said:?}");
            for remark in &remarks {
                assert_eq!(remark.tone == Good, remark.advice.is_empty(), "{remark:?}");
            }
        }
    }

    #[test]
    fn without_a_secret_there_is_one_thing_to_do() {
        let remarks = judge(&Known {
            has_secret: false,
            ..known(&[("unsigned", 9, 9)], Some("just now"))
        });
        assert_eq!(remarks.len(), 1);
        assert_eq!((remarks[0].tone, remarks[0].href), (Act, Some("/vonage")));
    }
}
