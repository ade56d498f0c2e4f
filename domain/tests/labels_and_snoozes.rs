//! Labels of a case, a case that is put off, and a move of several messages that is undone.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::{
    Case, CaseCommand, CaseError, CaseEvent, CaseLabel, InboundMessage, MAX_CASE_LABELS,
    MAX_SNOOZE_DAYS, Opened, Origin, Stage, WakeReason,
};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::ids::{ContactId, LabelId, LineId, MessageId, Reference, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use uuid::Uuid;

const HERE: u32 = 101;
const THERE: u32 = 102;

fn reference(number: u32) -> Reference {
    Reference::new(number).expect("a reference")
}

fn now() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().expect("a time")
}

fn in_hours(hours: i64) -> DateTime<Utc> {
    now() + TimeDelta::hours(hours)
}

fn message_id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn inbound(number: u128) -> InboundMessage {
    InboundMessage {
        message_id: message_id(number),
        line_id: LineId(Uuid::from_u128(9)),
        channel: Channel::Sms,
        from: "447700900123".into(),
        content: Personal(Content::text(format!("Text {number}"))),
        provider_id: format!("provider-{number}"),
        at: now(),
        at_is_arrival: false,
        quotes: None,
        profile_name: None,
    }
}

fn opened(origin: Origin) -> CaseEvent {
    CaseEvent::CaseOpened(Opened {
        reference: reference(HERE),
        contact_id: ContactId(Uuid::from_u128(7)),
        number: "447700900123".into(),
        survey_id: SurveyId(Uuid::from_u128(8)),
        line_id: LineId(Uuid::from_u128(9)),
        channel: Channel::Sms,
        title: "Appointment request".into(),
        status: Some("New".into()),
        origin,
        follows: None,
    })
}

fn receive(number: u128) -> CaseCommand {
    CaseCommand::Receive {
        message: inbound(number),
        routed: Routed::new(Rule::OnlyOpen, vec![reference(HERE)]),
    }
}

fn received(number: u128) -> CaseEvent {
    CaseEvent::MessageReceived {
        message: inbound(number),
        routed: Routed::new(Rule::OnlyOpen, vec![reference(HERE)]),
    }
}

fn case_of(events: &[CaseEvent]) -> Case {
    let mut case = Case::default();
    for event in events {
        case.evolve(event);
    }
    case
}

fn case() -> Vec<CaseEvent> {
    vec![opened(Origin::Message)]
}

fn label(number: u128) -> CaseLabel {
    CaseLabel {
        label_id: LabelId(Uuid::from_u128(number)),
        name: format!("Label {number}"),
    }
}

fn labels(numbers: &[u128]) -> Vec<CaseLabel> {
    numbers.iter().copied().map(label).collect()
}

/// Sets labels while those of `known` are not deleted.
fn set_labels(to: &[u128], known: &[u128]) -> CaseCommand {
    let names: BTreeMap<_, _> = labels(known)
        .into_iter()
        .map(|label| (label.label_id, label.name))
        .collect();
    CaseCommand::SetLabels {
        to: labels(to),
        names,
    }
}

fn labelled(from: &[u128], to: &[u128]) -> CaseEvent {
    CaseEvent::LabelsChanged {
        from: labels(from),
        to: labels(to),
    }
}

fn snooze(until: DateTime<Utc>) -> CaseCommand {
    CaseCommand::Snooze { until, now: now() }
}

fn snoozed(until: DateTime<Utc>) -> CaseEvent {
    CaseEvent::CaseSnoozed { from: None, until }
}

fn woken(until: DateTime<Utc>, reason: WakeReason) -> CaseEvent {
    CaseEvent::CaseWoken { until, reason }
}

fn set_status(value: &str, closes: bool) -> CaseCommand {
    CaseCommand::SetStatus {
        question: "How far is it?".into(),
        value: value.into(),
        closes,
    }
}

fn accepted(given: &[CaseEvent], when: CaseCommand, then: Vec<CaseEvent>) {
    let decided = case_of(given).decide(when);
    assert_eq!(decided, Ok(then));
}

fn refused(given: &[CaseEvent], when: CaseCommand, then: CaseError) {
    assert_eq!(case_of(given).decide(when), Err(then));
}

fn is_snoozed_until(events: &[CaseEvent]) -> Option<DateTime<Utc>> {
    let case = case_of(events);
    case.state().expect("the case has begun").snoozed_until
}

// Labels.

#[test]
fn a_case_gets_labels_in_place_of_those_that_it_had() {
    accepted(
        &case(),
        set_labels(&[1, 2], &[]),
        vec![labelled(&[], &[1, 2])],
    );
    let given = [case(), vec![labelled(&[], &[1, 2])]].concat();
    accepted(
        &given,
        set_labels(&[2, 3], &[1, 2]),
        vec![labelled(&[1, 2], &[2, 3])],
    );
    accepted(
        &given,
        set_labels(&[], &[1, 2]),
        vec![labelled(&[1, 2], &[])],
    );
}

#[test]
fn the_same_labels_in_another_order_or_twice_are_no_event() {
    let given = [case(), vec![labelled(&[], &[1, 2])]].concat();
    for same in [&[1, 2][..], &[2, 1], &[1, 2, 2, 1]] {
        accepted(&given, set_labels(same, &[1, 2]), vec![]);
    }
    accepted(&case(), set_labels(&[], &[]), vec![]);
}

#[test]
fn a_deleted_label_goes_without_a_word() {
    let given = [case(), vec![labelled(&[], &[1, 2])]].concat();
    accepted(&given, set_labels(&[2], &[2]), vec![]);
    accepted(&given, set_labels(&[3], &[2]), vec![labelled(&[2], &[3])]);
}

#[test]
fn the_labels_of_a_case_are_bounded() {
    let most: Vec<u128> = (1..=MAX_CASE_LABELS as u128).collect();
    let more: Vec<u128> = (0..=MAX_CASE_LABELS as u128).collect();
    accepted(&case(), set_labels(&most, &[]), vec![labelled(&[], &most)]);
    refused(&case(), set_labels(&more, &[]), CaseError::TooManyLabels);
}

#[test]
fn a_closed_case_can_be_labelled() {
    let closed = CaseEvent::StatusChanged {
        question: None,
        from: None,
        to: "Resolved".into(),
        closed: true,
    };
    let given = [case(), vec![closed]].concat();
    accepted(&given, set_labels(&[1], &[]), vec![labelled(&[], &[1])]);
}

// Snoozes.

#[test]
fn a_case_is_snoozed_until_a_time_in_the_future() {
    accepted(&case(), snooze(in_hours(1)), vec![snoozed(in_hours(1))]);
    let last = now() + TimeDelta::days(MAX_SNOOZE_DAYS);
    accepted(&case(), snooze(last), vec![snoozed(last)]);
    for wrong in [now(), in_hours(-1), last + TimeDelta::seconds(1)] {
        refused(&case(), snooze(wrong), CaseError::SnoozeTime);
    }
}

#[test]
fn a_snooze_is_kept_to_the_microsecond_as_the_database_keeps_it() {
    let until = in_hours(1) + TimeDelta::nanoseconds(1_999);
    let kept = in_hours(1) + TimeDelta::microseconds(1);
    accepted(&case(), snooze(until), vec![snoozed(kept)]);
    let given = [case(), vec![snoozed(kept)]].concat();
    accepted(&given, snooze(until), vec![]);
}

#[test]
fn another_time_takes_the_place_of_the_first() {
    let given = [case(), vec![snoozed(in_hours(1))]].concat();
    let again = CaseEvent::CaseSnoozed {
        from: Some(in_hours(1)),
        until: in_hours(2),
    };
    accepted(&given, snooze(in_hours(1)), vec![]);
    accepted(&given, snooze(in_hours(2)), vec![again.clone()]);
    let given = [given, vec![again]].concat();
    // The first time has come, and counts no more.
    accepted(
        &given,
        CaseCommand::WakeWhenDue { until: in_hours(1) },
        vec![],
    );
    assert_eq!(is_snoozed_until(&given), Some(in_hours(2)));
}

#[test]
fn a_due_snooze_ends_once() {
    let given = [case(), vec![snoozed(in_hours(1))]].concat();
    let due = CaseCommand::WakeWhenDue { until: in_hours(1) };
    let ended = woken(in_hours(1), WakeReason::Due);
    accepted(&given, due.clone(), vec![ended.clone()]);
    let given = [given, vec![ended]].concat();
    assert_eq!(is_snoozed_until(&given), None);
    accepted(&given, due, vec![]);
}

#[test]
fn a_message_wakes_a_case_and_a_repeated_one_does_not() {
    let given = [case(), vec![received(1), snoozed(in_hours(1))]].concat();
    let ended = woken(in_hours(1), WakeReason::Message);
    accepted(&given, receive(2), vec![received(2), ended]);
    accepted(&given, receive(1), vec![]);
}

#[test]
fn a_message_that_is_moved_in_wakes_a_case() {
    let given = [case(), vec![snoozed(in_hours(1))]].concat();
    let command = CaseCommand::MoveIn {
        message: inbound(1),
        from: reference(THERE),
        made_case: false,
        comment: None,
        reaction: None,
    };
    let moved_in = CaseEvent::MessageMovedIn {
        message: inbound(1),
        from: reference(THERE),
        made_case: false,
        comment: None,
        reaction: None,
    };
    let ended = woken(in_hours(1), WakeReason::Message);
    accepted(&given, command, vec![moved_in, ended]);
}

#[test]
fn somebody_wakes_a_case_by_hand() {
    let given = [case(), vec![snoozed(in_hours(1))]].concat();
    let ended = woken(in_hours(1), WakeReason::ByHand);
    accepted(&given, CaseCommand::Wake, vec![ended]);
    accepted(&case(), CaseCommand::Wake, vec![]);
}

#[test]
fn closing_ends_a_snooze_and_another_status_does_not() {
    let given = [case(), vec![snoozed(in_hours(1))]].concat();
    let changed = |to: &str, closed| CaseEvent::StatusChanged {
        question: Some("How far is it?".into()),
        from: Some("New".into()),
        to: to.into(),
        closed,
    };
    let ended = woken(in_hours(1), WakeReason::Closed);
    accepted(
        &given,
        set_status("Resolved", true),
        vec![changed("Resolved", true), ended],
    );
    accepted(
        &given,
        set_status("Waiting", false),
        vec![changed("Waiting", false)],
    );
}

#[test]
fn only_an_open_case_is_snoozed() {
    let closed = CaseEvent::StatusChanged {
        question: None,
        from: None,
        to: "Resolved".into(),
        closed: true,
    };
    refused(
        &[case(), vec![closed]].concat(),
        snooze(in_hours(1)),
        CaseError::Closed,
    );
}

#[test]
fn a_snoozed_case_is_open_and_takes_messages() {
    let given = [case(), vec![snoozed(in_hours(1))]].concat();
    let case = case_of(&given);
    assert!(case.is_open() && case.is_routed_to());
}

// A move of several messages, undone.

fn moved_in(number: u128) -> CaseEvent {
    CaseEvent::MessageMovedIn {
        message: inbound(number),
        from: reference(THERE),
        made_case: true,
        comment: None,
        reaction: None,
    }
}

fn moved_out(number: u128) -> CaseEvent {
    CaseEvent::MessageMovedOut {
        message_id: message_id(number),
        to: reference(THERE),
        made_case: false,
        comment: None,
    }
}

fn made_by_a_move_of(numbers: &[u128]) -> Vec<CaseEvent> {
    let origin = Origin::Move {
        from: reference(THERE),
    };
    std::iter::once(opened(origin))
        .chain(numbers.iter().copied().map(moved_in))
        .collect()
}

fn undo(number: u128, others: &[u128]) -> CaseCommand {
    CaseCommand::UndoMove {
        message_id: message_id(number),
        others: others.iter().copied().map(message_id).collect(),
        closed_status: None,
    }
}

fn undone(number: u128) -> CaseEvent {
    CaseEvent::MoveUndone {
        message_id: message_id(number),
        to: reference(THERE),
        status: None,
    }
}

#[test]
fn all_messages_of_a_move_go_back_as_one() {
    let given = made_by_a_move_of(&[1, 2, 3]);
    let then = vec![moved_out(1), moved_out(3), undone(2)];
    accepted(&given, undo(2, &[1, 2, 3]), then.clone());
    let case = case_of(&[given, then].concat());
    let state = case.state().expect("the case has begun");
    assert_eq!((state.stage, state.standing), (Stage::Withdrawn, 0));
}

#[test]
fn a_message_that_was_moved_on_since_stays_where_it_is() {
    let given = [made_by_a_move_of(&[1, 2, 3]), vec![moved_out(3)]].concat();
    accepted(&given, undo(1, &[2, 3]), vec![moved_out(2), undone(1)]);
}

#[test]
fn a_move_is_not_undone_over_a_message_that_came_by_another() {
    let other = CaseEvent::MessageMovedIn {
        message: inbound(4),
        from: reference(THERE),
        made_case: false,
        comment: None,
        reaction: None,
    };
    let given = [made_by_a_move_of(&[1, 2]), vec![other]].concat();
    refused(&given, undo(1, &[2]), CaseError::OtherMessageHere);
    refused(
        &[made_by_a_move_of(&[1, 2]), vec![received(5)]].concat(),
        undo(1, &[2]),
        CaseError::SaidSinceMove,
    );
}

#[test]
fn undoing_the_move_that_made_a_snoozed_case_ends_its_snooze() {
    let given = [made_by_a_move_of(&[1]), vec![snoozed(in_hours(1))]].concat();
    let ended = woken(in_hours(1), WakeReason::Closed);
    accepted(&given, undo(1, &[]), vec![undone(1), ended]);
}
