//! The matching rules: into which cases an inbound message goes.
//!
//! [`decide`] is one pure function of the message, the contact's cases and the survey's settings. What it decides, and why, is
//! recorded in the event, so nobody ever has to ask the rules of another day. A reference to a case of somebody else never
//! reaches this function as one of [`ContactCases`], and so is as if it were not there.
//!
//! A message can stand in all open cases of its contact, and each of them records it, so what one message costs grows with their
//! number. Anybody can make cases by writing, and so that number has a bound, [`MAX_OPEN_CASES`]: what would go beyond it has no
//! place, and is kept until cases have been closed.

use serde::{Deserialize, Serialize};

use crate::ids::Reference;
use crate::text::references::{Mentions, mentions};

/// How many open cases a contact can have by writing, and how many cases one message can go to.
pub const MAX_OPEN_CASES: usize = 100;
/// How many of the references in a text are looked at where none of them is an open case: those that come first.
pub const MAX_NAMED: usize = 100;

/// The rule that took a message to where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// No case of the contact was open.
    First,
    /// One case was open.
    OnlyOpen,
    /// Several cases were open and the message named none: all of them.
    AllOpen,
    /// The message named open cases.
    Reference,
    /// The message quotes one that stands in open cases.
    Quote,
    /// The message contains `#0`.
    NewRequested,
    /// The message names or quotes into a closed case.
    Follows,
    /// The survey keeps each message as a record of its own.
    CasesDisabled,
    /// An agent moved the message.
    Moved,
    /// The message that the reaction is on stands there.
    Reaction,
    /// The message that the reaction is on is unknown and no case was open: the newest case.
    Newest,
}

impl Rule {
    /// The rule's name in the API, as serde writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::OnlyOpen => "only_open",
            Self::AllOpen => "all_open",
            Self::Reference => "reference",
            Self::Quote => "quote",
            Self::NewRequested => "new_requested",
            Self::Follows => "follows",
            Self::CasesDisabled => "cases_disabled",
            Self::Moved => "moved",
            Self::Reaction => "reaction",
            Self::Newest => "newest",
        }
    }
}

/// Why a message stands in a case: the rule, and the references it speaks of. For `reference`, `quote`, `only_open`, `all_open`,
/// `reaction` and `newest` these are all the cases that got it, for `follows` the closed case, for `moved` the case it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// The rule.
    pub rule: Rule,
    /// The references it speaks of, in order.
    pub references: Vec<Reference>,
    /// Whether the text has a reference that is none of the contact's. Whether anybody has such a case is not told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign_reference: bool,
}

impl Routed {
    /// By that rule, to or from these cases.
    pub const fn new(rule: Rule, references: Vec<Reference>) -> Self {
        Self {
            rule,
            references,
            foreign_reference: false,
        }
    }
}

/// What the rules look at in a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// What was said, if anything.
    pub said: Option<&'a str>,
    /// Whether it quotes an earlier message.
    pub quotes: bool,
}

/// What the rules know of one contact's cases; nothing of anybody else's.
#[derive(Clone, Debug, Default)]
pub struct ContactCases {
    /// Every open case, ordered.
    pub open: Vec<Reference>,
    /// Those of the mentioned or quoted cases that are closed.
    pub closed: Vec<Reference>,
    /// The cases, open or closed, in which the quoted message stands.
    pub quoted_in: Vec<Reference>,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Into a new case.
    New {
        /// The closed case that the new one follows.
        follows: Option<Reference>,
    },
    /// Into these open cases, ordered, at least one.
    Existing(Vec<Reference>),
}

/// Where a message goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where it goes.
    pub target: Target,
    /// Why.
    pub routed: Routed,
}

/// A message that has no place, since its contact has too many open cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this person has {MAX_OPEN_CASES} open cases or more; close some of them first")]
pub struct TooManyOpenCases;

impl Decision {
    fn new_case(rule: Rule, follows: Option<Reference>) -> Self {
        Self {
            target: Target::New { follows },
            routed: Routed::new(rule, follows.into_iter().collect()),
        }
    }

    fn existing(rule: Rule, references: Vec<Reference>) -> Self {
        Self {
            target: Target::Existing(references.clone()),
            routed: Routed::new(rule, references),
        }
    }
}

/// Applies the matching rules, in their order.
///
/// # Errors
///
/// [`TooManyOpenCases`] where the message would open a case beyond [`MAX_OPEN_CASES`], or go to more cases than that.
pub fn decide(
    message: Message<'_>,
    cases: &ContactCases,
    cases_enabled: bool,
) -> Result<Decision, TooManyOpenCases> {
    if !cases_enabled {
        // A record is no open case.
        return Ok(Decision::new_case(Rule::CasesDisabled, None));
    }
    let mentioned = message.said.map(mentions).unwrap_or_default();
    let mut decision = by_the_rules(message, &mentioned, cases);
    decision.routed.foreign_reference = mentioned
        .references
        .iter()
        .take(MAX_NAMED)
        .any(|r| cases.open.binary_search(r).is_err() && !cases.closed.contains(r));
    let fits = match &decision.target {
        Target::New { .. } => cases.open.len() < MAX_OPEN_CASES,
        Target::Existing(references) => references.len() <= MAX_OPEN_CASES,
    };
    fits.then_some(decision).ok_or(TooManyOpenCases)
}

/// Rules 2 to 6.
fn by_the_rules(message: Message<'_>, mentioned: &Mentions, cases: &ContactCases) -> Decision {
    if mentioned.new_case {
        return Decision::new_case(Rule::NewRequested, None);
    }
    let open_among = |references: &[Reference]| {
        let mut open: Vec<_> = references
            .iter()
            .copied()
            .filter(|r| cases.open.binary_search(r).is_ok())
            .collect();
        open.sort_unstable();
        // A case that is named twice gets the message once.
        open.dedup();
        open
    };
    let candidates: Vec<Reference> = mentioned.candidates().collect();
    let named = open_among(&candidates);
    if !named.is_empty() {
        return Decision::existing(Rule::Reference, named);
    }
    let quoted_in: &[Reference] = if message.quotes {
        &cases.quoted_in
    } else {
        &[]
    };
    let quoted = open_among(quoted_in);
    if !quoted.is_empty() {
        return Decision::existing(Rule::Quote, quoted);
    }
    let closed = candidates
        .iter()
        .take(MAX_NAMED)
        .chain(quoted_in)
        .find(|r| cases.closed.contains(r));
    if let Some(&closed) = closed {
        return Decision::new_case(Rule::Follows, Some(closed));
    }
    match cases.open.as_slice() {
        [] => Decision::new_case(Rule::First, None),
        [only] => Decision::existing(Rule::OnlyOpen, vec![*only]),
        several => Decision::existing(Rule::AllOpen, several.to_vec()),
    }
}

/// What the rules know where a contact reacts to a message.
#[derive(Clone, Debug, Default)]
pub struct ReactionCases {
    /// The cases and records, open or closed, in which the message reacted to stands; none where it is unknown.
    pub standing_in: Vec<Reference>,
    /// Every open case of the contact, ordered.
    pub open: Vec<Reference>,
    /// The contact's newest case, or newest record where there is no case.
    pub newest: Option<Reference>,
}

/// Where a reaction goes. It says nothing, and so it opens a case only for a contact that has none.
///
/// # Errors
///
/// [`TooManyOpenCases`] where the message reacted to is unknown and more cases than [`MAX_OPEN_CASES`] are open.
pub fn decide_reaction(
    mut cases: ReactionCases,
    cases_enabled: bool,
) -> Result<Decision, TooManyOpenCases> {
    if !cases.standing_in.is_empty() {
        cases.standing_in.sort_unstable();
        cases.standing_in.dedup();
        return Ok(Decision::existing(Rule::Reaction, cases.standing_in));
    }
    if cases.open.len() > MAX_OPEN_CASES {
        return Err(TooManyOpenCases);
    }
    Ok(match (cases.open.as_slice(), cases.newest) {
        ([], Some(newest)) => Decision::existing(Rule::Newest, vec![newest]),
        ([], None) if cases_enabled => Decision::new_case(Rule::First, None),
        ([], None) => Decision::new_case(Rule::CasesDisabled, None),
        ([_], _) => Decision::existing(Rule::OnlyOpen, cases.open),
        (_, _) => Decision::existing(Rule::AllOpen, cases.open),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference(number: u32) -> Reference {
        Reference::new(number).expect("a reference")
    }

    fn references(numbers: &[u32]) -> Vec<Reference> {
        numbers.iter().map(|n| reference(*n)).collect()
    }

    fn cases(open: &[u32], closed: &[u32]) -> ContactCases {
        ContactCases {
            open: references(open),
            closed: references(closed),
            quoted_in: vec![],
        }
    }

    fn said(text: &str) -> Message<'_> {
        Message {
            said: Some(text),
            quotes: false,
        }
    }

    fn decide(message: Message<'_>, cases: &ContactCases, cases_enabled: bool) -> Decision {
        super::decide(message, cases, cases_enabled).expect("there are few cases")
    }

    /// A text that mentions all of these.
    fn said_all(numbers: &[u32]) -> String {
        let named: Vec<String> = numbers.iter().map(|number| format!("#{number}")).collect();
        named.join(" ")
    }

    #[track_caller]
    fn goes_to_new(decision: &Decision, rule: Rule, follows: Option<u32>) {
        same_way(decision, &Decision::new_case(rule, follows.map(reference)));
    }

    #[track_caller]
    fn goes_to(decision: &Decision, rule: Rule, numbers: &[u32]) {
        same_way(decision, &Decision::existing(rule, references(numbers)));
    }

    /// The same but for what is told of references that are not theirs.
    #[track_caller]
    fn same_way(one: &Decision, other: &Decision) {
        let way = |decision: &Decision| Decision {
            routed: Routed {
                foreign_reference: false,
                ..decision.routed.clone()
            },
            target: decision.target.clone(),
        };
        assert_eq!(way(one), way(other));
    }

    #[test]
    fn rule_1_cases_disabled_wins_over_everything() {
        goes_to_new(
            &decide(said("#0 #101"), &cases(&[101], &[]), false),
            Rule::CasesDisabled,
            None,
        );
    }

    #[test]
    fn rule_2_zero_is_always_a_new_case() {
        goes_to_new(
            &decide(said("#101 and #0"), &cases(&[101, 102], &[]), true),
            Rule::NewRequested,
            None,
        );
        goes_to_new(
            &decide(said("#0"), &cases(&[], &[]), true),
            Rule::NewRequested,
            None,
        );
    }

    #[test]
    fn rule_3_references_to_open_cases_name_exactly_those() {
        let contact = cases(&[101, 102, 103], &[99]);
        goes_to(
            &decide(said("about #102"), &contact, true),
            Rule::Reference,
            &[102],
        );
        goes_to(
            &decide(said("#103, #101 and #99 and #5"), &contact, true),
            Rule::Reference,
            &[101, 103],
        );
    }

    #[test]
    fn rule_4_a_quote_names_the_cases_of_the_quoted_message() {
        let contact = ContactCases {
            quoted_in: references(&[102, 99]),
            ..cases(&[101, 102], &[99])
        };
        let quote = Message {
            said: Some("yes"),
            quotes: true,
        };
        goes_to(&decide(quote, &contact, true), Rule::Quote, &[102]);
        goes_to(
            &decide(
                Message {
                    said: Some("#101"),
                    quotes: true,
                },
                &contact,
                true,
            ),
            Rule::Reference,
            &[101],
        );
        goes_to(
            &decide(
                Message {
                    said: None,
                    quotes: true,
                },
                &contact,
                true,
            ),
            Rule::Quote,
            &[102],
        );
    }

    #[test]
    fn rule_5_into_a_closed_case_is_a_new_one_that_follows() {
        goes_to_new(
            &decide(said("#99 again"), &cases(&[101], &[99]), true),
            Rule::Follows,
            Some(99),
        );
        let contact = ContactCases {
            quoted_in: references(&[98]),
            ..cases(&[101], &[98])
        };
        goes_to_new(
            &decide(
                Message {
                    said: Some("hm"),
                    quotes: true,
                },
                &contact,
                true,
            ),
            Rule::Follows,
            Some(98),
        );
    }

    #[test]
    fn rule_6_without_a_usable_reference() {
        goes_to_new(
            &decide(said("hello"), &cases(&[], &[]), true),
            Rule::First,
            None,
        );
        goes_to(
            &decide(said("hello"), &cases(&[101], &[]), true),
            Rule::OnlyOpen,
            &[101],
        );
        goes_to(
            &decide(said("hello"), &cases(&[101, 102], &[]), true),
            Rule::AllOpen,
            &[101, 102],
        );
        goes_to(
            &decide(Message::default(), &cases(&[101, 102], &[]), true),
            Rule::AllOpen,
            &[101, 102],
        );
    }

    #[test]
    fn a_foreign_reference_is_as_if_it_were_not_there() {
        for contact in [cases(&[], &[]), cases(&[101], &[]), cases(&[101, 102], &[])] {
            same_way(
                &decide(said("see #777"), &contact, true),
                &decide(said("see"), &contact, true),
            );
        }
    }

    #[test]
    fn a_case_that_is_told_twice_gets_the_message_once() {
        let contact = ContactCases {
            open: [reference(123)].into_iter().collect(),
            quoted_in: references(&[123, 123]),
            ..ContactCases::default()
        };
        let quoting = Message {
            said: None,
            quotes: true,
        };
        assert_eq!(
            decide(quoting, &contact, true).target,
            Target::Existing(references(&[123]))
        );
    }

    #[test]
    fn nobody_opens_more_cases_than_the_bound() {
        let many: Vec<u32> = (101..).take(MAX_OPEN_CASES).collect();
        let (almost, full) = (cases(&many[1..], &[99]), cases(&many, &[99]));
        for text in ["#0", "#99 again"] {
            assert!(super::decide(said(text), &almost, true).is_ok());
            assert_eq!(
                super::decide(said(text), &full, true),
                Err(TooManyOpenCases)
            );
        }
        goes_to(&decide(said("hello"), &full, true), Rule::AllOpen, &many);
        goes_to(
            &decide(said("#101"), &full, true),
            Rule::Reference,
            &many[..1],
        );
        goes_to_new(&decide(said("#0"), &full, false), Rule::CasesDisabled, None);
    }

    #[test]
    fn no_message_goes_to_more_cases_than_the_bound() {
        // Agents open as many as they see fit.
        let many: Vec<u32> = (101..).take(MAX_OPEN_CASES + 1).collect();
        let contact = cases(&many, &[]);
        for text in ["hello", &said_all(&many)] {
            assert_eq!(
                super::decide(said(text), &contact, true),
                Err(TooManyOpenCases)
            );
        }
        let text = said_all(&many[1..]);
        goes_to(
            &decide(said(&text), &contact, true),
            Rule::Reference,
            &many[1..],
        );
    }

    #[test]
    fn an_open_case_is_found_behind_any_number_of_other_references() {
        let strangers: Vec<u32> = (1_000..).take(MAX_NAMED).collect();
        let strangers = said_all(&strangers);
        let contact = cases(&[101], &[99]);
        let text = format!("{strangers} #101");
        goes_to(
            &decide(said(&text), &contact, true),
            Rule::Reference,
            &[101],
        );
        let text = format!("{strangers} #99");
        goes_to(&decide(said(&text), &contact, true), Rule::OnlyOpen, &[101]);
    }

    #[test]
    fn a_reference_that_is_not_theirs_is_told_and_routes_nowhere() {
        let contact = cases(&[101, 102], &[90]);
        for (text, rule, is_foreign) in [
            ("hello", Rule::AllOpen, false),
            ("#555", Rule::AllOpen, true),
            ("#101", Rule::Reference, false),
            ("#101 and #555", Rule::Reference, true),
            ("#90", Rule::Follows, false),
            ("#90 #555", Rule::Follows, true),
            ("#0", Rule::NewRequested, false),
            ("#0 #555", Rule::NewRequested, true),
        ] {
            let routed = decide(said(text), &contact, true).routed;
            assert_eq!(
                (routed.rule, routed.foreign_reference),
                (rule, is_foreign),
                "{text}"
            );
            assert!(
                !routed.references.contains(&reference(555)),
                "{text}: it is not revealed"
            );
        }
        let none = ContactCases::default();
        assert!(decide(said("#555"), &none, true).routed.foreign_reference);
        assert!(
            !decide(said("#555"), &none, false).routed.foreign_reference,
            "a survey without cases has no references"
        );
    }

    #[test]
    fn a_reaction_stands_with_its_message_or_else_where_the_contact_is_heard() {
        /// Where the message stands, the open cases, the newest, whether cases are enabled; the rule and the cases.
        type Row<'a> = (&'a [u32], &'a [u32], Option<u32>, bool, Rule, &'a [u32]);
        let table: [Row<'_>; 9] = [
            // The message is known: its cases, open or closed, and nothing else.
            (&[90], &[101], Some(101), true, Rule::Reaction, &[90]),
            (
                &[102, 90, 102],
                &[101],
                Some(102),
                true,
                Rule::Reaction,
                &[90, 102],
            ),
            (&[90], &[], Some(91), false, Rule::Reaction, &[90]),
            // It is unknown: the open cases, else the newest.
            (&[], &[101], Some(101), true, Rule::OnlyOpen, &[101]),
            (
                &[],
                &[101, 102],
                Some(102),
                true,
                Rule::AllOpen,
                &[101, 102],
            ),
            (&[], &[], Some(91), true, Rule::Newest, &[91]),
            (&[], &[], Some(91), false, Rule::Newest, &[91]),
            // There is no case at all.
            (&[], &[], None, true, Rule::First, &[]),
            (&[], &[], None, false, Rule::CasesDisabled, &[]),
        ];
        for (standing_in, open, newest, enabled, rule, expected) in table {
            let contact = ReactionCases {
                standing_in: references(standing_in),
                open: references(open),
                newest: newest.map(reference),
            };
            let decision = decide_reaction(contact.clone(), enabled).expect("there are few cases");
            if expected.is_empty() {
                goes_to_new(&decision, rule, None);
            } else {
                goes_to(&decision, rule, expected);
            }
        }
    }

    #[test]
    fn no_reaction_goes_to_more_cases_than_the_bound() {
        let many: Vec<u32> = (101..).take(MAX_OPEN_CASES + 1).collect();
        let contact = ReactionCases {
            open: references(&many),
            ..ReactionCases::default()
        };
        assert_eq!(decide_reaction(contact, true), Err(TooManyOpenCases));
    }

    proptest! {
        #[test]
        fn a_message_only_reaches_open_cases_of_its_contact(
            text in "(#[0-9]{1,3}|[a-z ]{0,5}|[,.] ){0,6}",
            mut open in proptest::collection::btree_set(1u32..200, 0..6),
            closed in proptest::collection::btree_set(1u32..200, 0..6),
            quoted in proptest::collection::vec(1u32..200, 0..4),
            quotes: bool,
            enabled: bool,
        ) {
            open.retain(|number| !closed.contains(number));
            let contact = ContactCases {
                open: open.iter().map(|n| reference(*n)).collect(),
                closed: closed.iter().map(|n| reference(*n)).collect(),
                quoted_in: quoted.iter().map(|n| reference(*n)).collect(),
            };
            let decision = decide(Message { said: Some(&text), quotes }, &contact, enabled);
            match &decision.target {
                Target::Existing(into) => {
                    prop_assert!(enabled && !into.is_empty());
                    prop_assert!(into.iter().all(|r| contact.open.contains(r)));
                    prop_assert!(into.windows(2).all(|w| w[0] < w[1]));
                    prop_assert!(!mentions(&text).new_case);
                }
                Target::New { follows: Some(closed) } => prop_assert!(contact.closed.contains(closed)),
                Target::New { follows: None } => prop_assert!(
                    !enabled || mentions(&text).new_case || contact.open.is_empty()
                ),
            }
        }
    }
}
