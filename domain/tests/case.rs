//! What a case does: given what happened, when something is asked of it, then what is recorded, or why not.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use docket_domain::case::{
    Assignee, Author, Case, CaseCommand, CaseError, CaseEvent, InboundMessage, MAX_NOTE_CHARS,
    MAX_TITLE_CHARS, News, Opened, Origin, OutboundMessage, Reaction, Stage,
};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::delivery::{Progress, Status};
use docket_domain::ids::{ContactId, LineId, MessageId, NoteId, Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use uuid::Uuid;

/// The case of these tests.
const HERE: u32 = 101;
/// Another case of the same contact.
const THERE: u32 = 102;
/// Two agents.
const ANN: u128 = 1;
const BEN: u128 = 2;

fn reference(number: u32) -> Reference {
    Reference::new(number).expect("a reference")
}

fn message_id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn user_id(agent: u128) -> UserId {
    UserId(Uuid::from_u128(agent))
}

fn email(agent: u128) -> Personal<String> {
    Personal(format!("agent{agent}@example.com"))
}

fn author(agent: u128) -> Author {
    Author::User {
        user_id: user_id(agent),
        email: email(agent),
    }
}

fn assignee(agent: u128) -> Assignee {
    Assignee {
        user_id: user_id(agent),
        email: email(agent),
    }
}

fn at(minute: i64) -> DateTime<Utc> {
    let start = "2026-03-02T09:00:00Z"
        .parse::<DateTime<Utc>>()
        .expect("a time");
    start + TimeDelta::minutes(minute)
}

fn case_opened(origin: Origin) -> CaseEvent {
    CaseEvent::CaseOpened(beginning(origin))
}

fn beginning(origin: Origin) -> Opened {
    Opened {
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
    }
}

fn opened() -> CaseEvent {
    case_opened(Origin::Message)
}

fn made_by_move() -> CaseEvent {
    case_opened(Origin::Move {
        from: reference(THERE),
    })
}

fn inbound(number: u128) -> InboundMessage {
    InboundMessage {
        message_id: message_id(number),
        line_id: LineId(Uuid::from_u128(9)),
        channel: Channel::Sms,
        from: "447700900123".into(),
        content: Personal(Content::text(format!("Text {number}"))),
        provider_id: format!("provider-{number}"),
        at: at(0),
        at_is_arrival: false,
        quotes: None,
        profile_name: None,
    }
}

fn routed() -> Routed {
    Routed::new(Rule::OnlyOpen, vec![reference(HERE)])
}

fn outbound(number: u128, author: Author) -> OutboundMessage {
    OutboundMessage {
        message_id: message_id(number),
        contact_id: ContactId(Uuid::from_u128(7)),
        line_id: LineId(Uuid::from_u128(9)),
        channel: Channel::Sms,
        to: "447700900123".into(),
        text: "Tomorrow at nine".into(),
        sent_text: "Tomorrow at nine #101".into(),
        author,
        references: vec![reference(HERE)],
        template: None,
        media: None,
    }
}

fn reply_of(agent: u128, number: u128) -> OutboundMessage {
    outbound(number, author(agent))
}

/// A reply that is sent as `sent_text`.
fn reply_sent_as(channel: Channel, sent_text: String) -> CaseCommand {
    let message = OutboundMessage {
        channel,
        sent_text: Personal(sent_text),
        ..reply_of(ANN, 20)
    };
    CaseCommand::Reply {
        message,
        seen_version: None,
    }
}

// What happened.

fn received(number: u128) -> CaseEvent {
    CaseEvent::MessageReceived {
        message: inbound(number),
        routed: routed(),
    }
}

fn queued(message: OutboundMessage) -> CaseEvent {
    CaseEvent::MessageQueued(message)
}

/// Ann's reply 20, recorded.
fn replied() -> CaseEvent {
    queued(reply_of(ANN, 20))
}

fn sending(attempt: u32) -> CaseEvent {
    CaseEvent::MessageSending {
        message_id: message_id(20),
        attempt,
    }
}

fn requeued(attempt: u32) -> CaseEvent {
    CaseEvent::MessageRequeued {
        message: Box::new(reply_of(ANN, 20)),
        attempt,
    }
}

/// What is recorded of message 20 when `news` is new.
fn told(attempt: u32, news: News) -> CaseEvent {
    let message_id = message_id(20);
    match news {
        News::Deferred { not_before, reason } => CaseEvent::MessageDeferred {
            message_id,
            attempt,
            not_before,
            reason,
        },
        News::Sent { provider_id } => CaseEvent::MessageSent {
            message_id,
            attempt,
            provider_id,
        },
        News::Delivered { at, at_is_arrival } => CaseEvent::MessageDelivered {
            message_id,
            attempt,
            at,
            at_is_arrival,
        },
        News::Read { at, at_is_arrival } => CaseEvent::MessageRead {
            message_id,
            attempt,
            at,
            at_is_arrival,
        },
        News::Failed { code, reason } => CaseEvent::MessageFailed {
            message_id,
            attempt,
            code,
            reason,
        },
        News::Uncertain { reason } => CaseEvent::MessageUncertain {
            message_id,
            attempt,
            reason,
        },
    }
}

/// What Vonage calls an attempt to send message 20 is recorded by itself.
fn identified(attempt: u32, provider_id: &str) -> CaseEvent {
    CaseEvent::MessageIdentified {
        message_id: message_id(20),
        attempt,
        provider_id: provider_id.into(),
    }
}

/// Vonage took message 20, and called it so where that could be read.
fn sent_as(attempt: u32, provider_id: Option<&str>) -> CaseEvent {
    told(attempt, took(provider_id))
}

fn closed() -> CaseEvent {
    CaseEvent::StatusChanged {
        question: Some("How far is it?".into()),
        from: Some("New".into()),
        to: "Resolved".into(),
        closed: true,
    }
}

fn reopened() -> CaseEvent {
    CaseEvent::StatusChanged {
        question: Some("How far is it?".into()),
        from: Some("Resolved".into()),
        to: "Waiting".into(),
        closed: false,
    }
}

fn moved_out(number: u128) -> CaseEvent {
    CaseEvent::MessageMovedOut {
        message_id: message_id(number),
        to: reference(THERE),
        made_case: true,
        comment: None,
    }
}

fn moved_in(number: u128) -> CaseEvent {
    moved_in_with(number, None)
}

fn moved_in_with(number: u128, reaction: Option<Reaction>) -> CaseEvent {
    CaseEvent::MessageMovedIn {
        message: inbound(number),
        from: reference(THERE),
        made_case: false,
        comment: None,
        reaction: reaction.map(Box::new),
    }
}

fn returned(number: u128, reaction: Option<Reaction>) -> CaseEvent {
    CaseEvent::MessageReturned {
        message_id: message_id(number),
        from: reference(THERE),
        reaction: reaction.map(Box::new),
    }
}

/// A reaction to that message, `seconds` after the beginning; without an emoji it was taken off.
fn reaction(to: u128, emoji: Option<&str>, seconds: i64) -> Reaction {
    Reaction {
        reaction_id: message_id(100),
        message_id: Some(message_id(to)),
        target_provider_id: Some(format!("provider-{to}")),
        emoji: emoji.map(Personal::from),
        removed: emoji.is_none(),
        line_id: LineId(Uuid::from_u128(9)),
        channel: Channel::Whatsapp,
        from: "447700900123".into(),
        provider_id: format!("reaction-{seconds}-{emoji:?}"),
        at: at(seconds),
        profile_name: None,
    }
}

fn react(reaction: Reaction) -> CaseCommand {
    CaseCommand::React {
        reaction,
        routed: Routed::new(Rule::Reaction, vec![reference(HERE)]),
    }
}

fn reacted(reaction: Reaction) -> CaseEvent {
    CaseEvent::ReactionReceived {
        reaction,
        routed: Routed::new(Rule::Reaction, vec![reference(HERE)]),
    }
}

fn move_undone(number: u128) -> CaseEvent {
    CaseEvent::MoveUndone {
        message_id: message_id(number),
        to: reference(THERE),
        status: Some("Resolved".into()),
    }
}

fn noted(text: &str) -> CaseEvent {
    CaseEvent::NoteAdded {
        note_id: NoteId(Uuid::from_u128(30)),
        author: author(ANN),
        text: text.into(),
    }
}

/// A case that was made by moving message 10, and withdrawn.
fn withdrawn() -> Vec<CaseEvent> {
    vec![made_by_move(), moved_in(10), move_undone(10)]
}

/// A case in which Ann's reply 20 is at that status of its first attempt.
fn replied_and(status: Status) -> Vec<CaseEvent> {
    let mut events = vec![opened(), received(10), replied()];
    events.extend(match status {
        Status::Queued => None,
        Status::Sending => Some(sending(1)),
        other => Some(told(1, news(other))),
    });
    events
}

// What is asked.

fn receive(number: u128) -> CaseCommand {
    CaseCommand::Receive {
        message: inbound(number),
        routed: routed(),
    }
}

fn reply(message: OutboundMessage) -> CaseCommand {
    CaseCommand::Reply {
        message,
        seen_version: None,
    }
}

/// Ann's reply 25, decided on what she saw at that version.
fn reply_having_seen(version: u64) -> CaseCommand {
    CaseCommand::Reply {
        message: reply_of(ANN, 25),
        seen_version: Some(version),
    }
}

fn begin_sending(attempt: u32) -> CaseCommand {
    CaseCommand::BeginSending {
        message_id: message_id(20),
        attempt,
    }
}

fn tell(attempt: u32, news: News) -> CaseCommand {
    CaseCommand::RecordDelivery {
        message_id: message_id(20),
        attempt,
        news,
    }
}

fn identify(attempt: u32, provider_id: &str) -> CaseCommand {
    CaseCommand::Identify {
        message_id: message_id(20),
        attempt,
        provider_id: provider_id.into(),
    }
}

fn resend() -> CaseCommand {
    CaseCommand::Resend {
        message_id: message_id(20),
        line_id: None,
    }
}

fn set_status(value: &str, closes: bool) -> CaseCommand {
    CaseCommand::SetStatus {
        question: "How far is it?".into(),
        value: value.into(),
        closes,
    }
}

fn assign(to: Option<Assignee>) -> CaseCommand {
    CaseCommand::Assign { to }
}

fn rename(title: impl Into<String>) -> CaseCommand {
    CaseCommand::Rename {
        title: Personal(title.into()),
    }
}

fn add_note(text: impl Into<String>) -> CaseCommand {
    CaseCommand::AddNote {
        note_id: NoteId(Uuid::from_u128(30)),
        author: author(ANN),
        text: Personal(text.into()),
    }
}

fn move_out(number: u128, comment: Option<&str>) -> CaseCommand {
    CaseCommand::MoveOut {
        message_id: message_id(number),
        to: reference(THERE),
        made_case: true,
        comment: comment.map(Personal::from),
    }
}

fn move_in(number: u128) -> CaseCommand {
    CaseCommand::MoveIn {
        message: inbound(number),
        from: reference(THERE),
        made_case: false,
        comment: None,
        reaction: None,
    }
}

fn undo_move(number: u128) -> CaseCommand {
    CaseCommand::UndoMove {
        message_id: message_id(number),
        others: vec![],
        closed_status: Some("Resolved".into()),
    }
}

fn take_back(number: u128, from: u32) -> CaseCommand {
    CaseCommand::TakeBack {
        message_id: message_id(number),
        from: reference(from),
        reaction: None,
    }
}

/// News that amounts to that status.
fn news(status: Status) -> News {
    match status {
        Status::Sent => News::Sent {
            provider_id: Some("provider-20".into()),
        },
        Status::Delivered => News::Delivered {
            at: at(5),
            at_is_arrival: false,
        },
        Status::Read => News::Read {
            at: at(6),
            at_is_arrival: false,
        },
        Status::Failed => News::Failed {
            code: Some(1120),
            reason: "illegal recipient".into(),
        },
        Status::Uncertain => News::Uncertain {
            reason: "time-out".into(),
        },
        Status::Queued | Status::Sending => panic!("nobody tells us that"),
    }
}

/// Vonage took it, and calls it so where that could be read.
fn took(provider_id: Option<&str>) -> News {
    News::Sent {
        provider_id: provider_id.map(str::to_owned),
    }
}

fn deferral() -> News {
    News::Deferred {
        not_before: at(2),
        reason: "429".into(),
    }
}

// How it comes out.

fn given(events: Vec<CaseEvent>) -> AggregateTestExecutor<Case> {
    TestFramework::<Case>::with(()).given(events)
}

fn accepted(events: Vec<CaseEvent>, command: CaseCommand, recorded: CaseEvent) {
    given(events)
        .when(command)
        .then_expect_events(vec![recorded]);
}

fn already_done(events: Vec<CaseEvent>, command: CaseCommand) {
    given(events).when(command).then_expect_events(vec![]);
}

fn refused(events: Vec<CaseEvent>, command: CaseCommand, error: CaseError) {
    given(events).when(command).then_expect_error(error);
}

/// The case that these events make.
fn case_of(events: &[CaseEvent]) -> Case {
    let mut case = Case::default();
    for event in events {
        case.evolve(event);
    }
    case
}

fn stage_of(events: &[CaseEvent]) -> Stage {
    case_of(events).state().expect("the case has begun").stage
}

fn progress_of(events: &[CaseEvent]) -> Progress {
    let case = case_of(events);
    let state = case.state().expect("the case has begun");
    state
        .outbound(message_id(20))
        .expect("the reply stands in the case")
        .1
}

/// What Vonage calls message 20, by attempt.
fn sent_ids_of(events: &[CaseEvent]) -> Vec<(u32, String)> {
    let case = case_of(events);
    let state = case.state().expect("the case has begun");
    state
        .sent_ids(message_id(20))
        .iter()
        .map(|known| (known.attempt, known.provider_id.clone()))
        .collect()
}

fn every_command_but_open() -> Vec<CaseCommand> {
    vec![
        receive(10),
        reply(reply_of(ANN, 20)),
        CaseCommand::ReplyAutomatically(outbound(21, Author::SEVERAL_CASES)),
        begin_sending(1),
        tell(1, news(Status::Sent)),
        identify(1, "provider-20"),
        resend(),
        set_status("Resolved", true),
        assign(Some(assignee(ANN))),
        rename("Opening hours"),
        add_note("Called back"),
        move_out(10, None),
        move_in(10),
        undo_move(10),
        take_back(10, THERE),
        react(reaction(10, Some("👍"), 1)),
        removed_elsewhere_command(10),
    ]
}

fn removed_elsewhere_command(number: u128) -> CaseCommand {
    CaseCommand::RecordRemovedElsewhere {
        message_id: message_id(number),
        from: reference(THERE),
        comment: Some("Stands here already".into()),
    }
}

// Beginning.

#[test]
fn a_case_begins_as_it_is_told() {
    given(vec![])
        .when(CaseCommand::Open(beginning(Origin::Message)))
        .then_expect_events(vec![opened()]);
}

#[test]
fn a_case_that_has_begun_is_open_and_has_the_first_status_and_title() {
    let case = case_of(&[opened()]);
    let state = case.state().expect("the case has begun");
    assert!(case.is_open());
    assert_eq!(state.status.as_deref(), Some("New"));
    assert_eq!(*state.title, "Appointment request");
    assert_eq!(state.assignee, None);
}

#[test]
fn a_case_begins_once() {
    refused(
        vec![opened()],
        CaseCommand::Open(beginning(Origin::Message)),
        CaseError::AlreadyOpened,
    );
}

#[test]
fn nothing_can_be_asked_of_a_case_that_has_not_begun() {
    for command in every_command_but_open() {
        refused(vec![], command, CaseError::NotOpened);
    }
}

#[test]
fn a_case_that_has_not_begun_is_not_open() {
    let case = Case::default();
    assert!(!case.is_open());
    assert_eq!((case.version(), case.state()), (0, None));
}

// What the contact says.

#[test]
fn an_open_case_takes_a_message_in_with_the_reason_why() {
    accepted(vec![opened()], receive(10), received(10));
}

#[test]
fn a_message_that_comes_again_makes_nothing() {
    already_done(vec![opened(), received(10)], receive(10));
}

#[test]
fn a_message_that_comes_again_after_the_case_was_closed_makes_nothing() {
    already_done(vec![opened(), received(10), closed()], receive(10));
}

#[test]
fn a_message_that_comes_again_after_it_was_moved_out_makes_nothing() {
    already_done(vec![opened(), received(10), moved_out(10)], receive(10));
}

#[test]
fn a_closed_case_receives_no_messages() {
    refused(
        vec![opened(), received(10), closed()],
        receive(11),
        CaseError::Closed,
    );
}

#[test]
fn a_reopened_case_receives_messages_again() {
    accepted(
        vec![opened(), closed(), reopened()],
        receive(11),
        received(11),
    );
}

#[test]
fn a_case_knows_its_messages_by_the_sequence_that_brought_them() {
    let case = case_of(&[opened(), received(10), noted("Called back"), replied()]);
    let state = case.state().expect("the case has begun");
    assert_eq!(state.messages[&message_id(10)].sequence, 2);
    assert_eq!(state.messages[&message_id(20)].sequence, 4);
    assert_eq!(state.inbound(message_id(10)), Ok(&inbound(10)));
    assert_eq!(
        state.outbound(message_id(20)),
        Ok((&reply_of(ANN, 20), Progress::QUEUED))
    );
}

// Replies.

#[test]
fn a_reply_is_recorded_to_be_sent() {
    accepted(
        vec![opened(), received(10)],
        reply(reply_of(ANN, 20)),
        replied(),
    );
}

#[test]
fn a_reply_that_is_recorded_already_makes_nothing() {
    already_done(
        vec![opened(), received(10), replied()],
        reply(reply_of(ANN, 20)),
    );
}

#[test]
fn a_reply_that_was_delivered_is_not_recorded_anew() {
    already_done(replied_and(Status::Delivered), reply(reply_of(ANN, 20)));
}

#[test]
fn a_repeated_reply_is_done_even_when_something_was_said_since() {
    let repeated = CaseCommand::Reply {
        message: reply_of(ANN, 20),
        seen_version: Some(2),
    };
    already_done(
        vec![opened(), received(10), replied(), received(11)],
        repeated,
    );
}

#[test]
fn a_closed_case_can_still_be_answered() {
    accepted(
        vec![opened(), received(10), closed()],
        reply(reply_of(ANN, 20)),
        replied(),
    );
}

#[test]
fn a_reply_says_something() {
    for nothing in ["", " ", "\n\t\u{a0}"] {
        let message = OutboundMessage {
            text: nothing.into(),
            ..reply_of(ANN, 20)
        };
        refused(vec![opened()], reply(message), CaseError::Empty("the text"));
    }
}

#[test]
fn what_is_sent_by_sms_has_at_most_1000_characters() {
    given(vec![opened()])
        .when(reply_sent_as(Channel::Sms, "é".repeat(1_000)))
        .inspect_result()
        .expect("characters are counted, not bytes");
    let what = "the text as it is sent";
    refused(
        vec![opened()],
        reply_sent_as(Channel::Sms, "e".repeat(1_001)),
        CaseError::TooLong {
            what,
            chars: 1_001,
            max: 1_000,
        },
    );
}

#[test]
fn what_is_sent_by_whatsapp_has_at_most_4096_characters() {
    given(vec![opened()])
        .when(reply_sent_as(Channel::Whatsapp, "e".repeat(4_096)))
        .inspect_result()
        .expect("that many are possible");
    let what = "the text as it is sent";
    refused(
        vec![opened()],
        reply_sent_as(Channel::Whatsapp, "e".repeat(4_097)),
        CaseError::TooLong {
            what,
            chars: 4_097,
            max: 4_096,
        },
    );
}

// Two people at once.

#[test]
fn a_reply_on_what_is_newest_is_recorded() {
    accepted(
        vec![opened(), received(10)],
        reply_having_seen(2),
        queued(reply_of(ANN, 25)),
    );
}

#[test]
fn a_reply_is_refused_when_the_contact_said_something_since() {
    refused(
        vec![opened(), received(10), received(11)],
        reply_having_seen(2),
        CaseError::SaidSince {
            seen: 2,
            version: 3,
        },
    );
}

#[test]
fn a_reply_is_refused_when_a_message_was_moved_in_since() {
    refused(
        vec![opened(), received(10), moved_in(11)],
        reply_having_seen(2),
        CaseError::SaidSince {
            seen: 2,
            version: 3,
        },
    );
}

#[test]
fn a_reply_is_refused_when_another_agent_replied_since() {
    refused(
        vec![opened(), received(10), queued(reply_of(BEN, 21))],
        reply_having_seen(2),
        CaseError::SaidSince {
            seen: 2,
            version: 3,
        },
    );
}

#[test]
fn ones_own_earlier_reply_does_not_refuse_a_reply() {
    accepted(
        vec![opened(), received(10), queued(reply_of(ANN, 21))],
        reply_having_seen(2),
        queued(reply_of(ANN, 25)),
    );
}

#[test]
fn an_automatic_reply_does_not_refuse_a_reply() {
    accepted(
        vec![
            opened(),
            received(10),
            queued(outbound(21, Author::SEVERAL_CASES)),
        ],
        reply_having_seen(2),
        queued(reply_of(ANN, 25)),
    );
}

#[test]
fn what_is_no_message_does_not_refuse_a_reply() {
    let mut events = replied_and(Status::Delivered);
    let seen = 3;
    events.extend([
        noted("Called back"),
        closed(),
        reopened(),
        CaseEvent::AssigneeChanged {
            from: None,
            to: Some(assignee(BEN)),
        },
    ]);
    accepted(events, reply_having_seen(seen), queued(reply_of(ANN, 25)));
}

#[test]
fn a_message_that_was_moved_out_again_does_not_refuse_a_reply() {
    accepted(
        vec![opened(), received(10), received(11), moved_out(11)],
        reply_having_seen(2),
        queued(reply_of(ANN, 25)),
    );
}

#[test]
fn the_reply_can_be_sent_all_the_same_with_the_new_version() {
    accepted(
        vec![opened(), received(10), received(11)],
        reply_having_seen(3),
        queued(reply_of(ANN, 25)),
    );
}

#[test]
fn a_reply_that_carries_no_version_is_not_compared() {
    accepted(
        vec![opened(), received(10), received(11)],
        reply(reply_of(ANN, 25)),
        queued(reply_of(ANN, 25)),
    );
}

// The automatic reply.

#[test]
fn an_automatic_reply_is_recorded_to_be_sent() {
    let automatic = outbound(21, Author::SEVERAL_CASES);
    accepted(
        vec![opened(), received(10)],
        CaseCommand::ReplyAutomatically(automatic.clone()),
        queued(automatic),
    );
}

#[test]
fn an_automatic_reply_that_is_recorded_already_makes_nothing() {
    let automatic = outbound(21, Author::SEVERAL_CASES);
    already_done(
        vec![opened(), received(10), queued(automatic.clone())],
        CaseCommand::ReplyAutomatically(automatic),
    );
}

#[test]
fn a_closed_case_replies_to_nobody_automatically() {
    refused(
        vec![opened(), closed()],
        CaseCommand::ReplyAutomatically(outbound(21, Author::SEVERAL_CASES)),
        CaseError::Closed,
    );
}

// Delivery.

#[test]
fn a_queued_message_is_claimed_before_the_call() {
    accepted(replied_and(Status::Queued), begin_sending(1), sending(1));
}

#[test]
fn a_message_is_claimed_once() {
    for status in [
        Status::Sending,
        Status::Uncertain,
        Status::Sent,
        Status::Failed,
        Status::Delivered,
        Status::Read,
    ] {
        refused(
            replied_and(status),
            begin_sending(1),
            CaseError::NotQueued { status },
        );
    }
}

#[test]
fn only_the_current_attempt_is_claimed() {
    let mut events = replied_and(Status::Failed);
    events.push(requeued(2));
    refused(
        events.clone(),
        begin_sending(1),
        CaseError::NotQueued {
            status: Status::Queued,
        },
    );
    refused(
        events.clone(),
        begin_sending(3),
        CaseError::NotQueued {
            status: Status::Queued,
        },
    );
    accepted(events, begin_sending(2), sending(2));
}

#[test]
fn every_kind_of_news_is_recorded_once_the_call_was_made() {
    for status in [
        Status::Uncertain,
        Status::Sent,
        Status::Failed,
        Status::Delivered,
        Status::Read,
    ] {
        let news = news(status);
        accepted(
            replied_and(Status::Sending),
            tell(1, news.clone()),
            told(1, news),
        );
    }
}

#[test]
fn a_status_that_overtakes_the_answer_to_the_call_is_recorded() {
    accepted(
        replied_and(Status::Queued),
        tell(1, news(Status::Delivered)),
        told(1, news(Status::Delivered)),
    );
}

#[test]
fn news_that_comes_twice_is_recorded_once() {
    for status in [
        Status::Uncertain,
        Status::Sent,
        Status::Failed,
        Status::Delivered,
        Status::Read,
    ] {
        already_done(replied_and(status), tell(1, news(status)));
    }
}

#[test]
fn late_news_moves_a_message_never_backwards() {
    let late = [
        (Status::Sent, Status::Uncertain),
        (Status::Failed, Status::Sent),
        (Status::Delivered, Status::Failed),
        (Status::Delivered, Status::Sent),
        (Status::Read, Status::Delivered),
        (Status::Read, Status::Failed),
        (Status::Read, Status::Uncertain),
    ];
    for (known, told_late) in late {
        let mut events = replied_and(known);
        events.push(identified(1, "provider-20"));
        already_done(events, tell(1, news(told_late)));
    }
}

#[test]
fn a_message_reported_failed_that_arrives_after_all_is_delivered() {
    accepted(
        replied_and(Status::Failed),
        tell(1, news(Status::Delivered)),
        told(1, news(Status::Delivered)),
    );
}

#[test]
fn an_uncertain_message_is_settled_by_what_vonage_says() {
    for status in [
        Status::Sent,
        Status::Failed,
        Status::Delivered,
        Status::Read,
    ] {
        accepted(
            replied_and(Status::Uncertain),
            tell(1, news(status)),
            told(1, news(status)),
        );
    }
}

#[test]
fn a_sent_message_shows_what_was_recorded_of_it() {
    for status in [
        Status::Uncertain,
        Status::Sent,
        Status::Failed,
        Status::Delivered,
        Status::Read,
    ] {
        assert_eq!(
            progress_of(&replied_and(status)),
            Progress { attempt: 1, status }
        );
    }
}

#[test]
fn news_of_an_attempt_that_was_never_made_is_left_out() {
    already_done(replied_and(Status::Sending), tell(2, news(Status::Read)));
}

#[test]
fn a_closed_case_still_learns_what_became_of_its_messages() {
    let mut events = replied_and(Status::Sent);
    events.push(closed());
    accepted(
        events,
        tell(1, news(Status::Delivered)),
        told(1, news(Status::Delivered)),
    );
}

#[test]
fn news_of_a_message_that_came_in_is_refused() {
    let events = vec![opened(), received(20)];
    let error = CaseError::NotOutbound(message_id(20));
    refused(events.clone(), tell(1, news(Status::Sent)), error.clone());
    refused(events.clone(), begin_sending(1), error.clone());
    refused(events.clone(), identify(1, "provider-20"), error.clone());
    refused(events, resend(), error);
}

#[test]
fn news_of_an_unknown_message_is_refused() {
    let error = CaseError::NoSuchMessage(message_id(20));
    refused(vec![opened()], tell(1, news(Status::Sent)), error.clone());
    refused(vec![opened()], begin_sending(1), error.clone());
    refused(vec![opened()], identify(1, "provider-20"), error.clone());
    refused(vec![opened()], resend(), error);
}

// What Vonage calls it.

#[test]
fn an_answer_that_broke_off_is_made_good_by_the_first_status() {
    let mut events = replied_and(Status::Sending);
    events.push(sent_as(1, None));
    // Submitted tells nothing new but the id, and no other status says it.
    accepted(
        events.clone(),
        tell(1, took(Some("vonage-1"))),
        identified(1, "vonage-1"),
    );
    accepted(
        events.clone(),
        identify(1, "vonage-1"),
        identified(1, "vonage-1"),
    );
    events.push(identified(1, "vonage-1"));
    assert_eq!(sent_ids_of(&events), [(1, "vonage-1".to_owned())]);
    assert_eq!(
        progress_of(&events),
        Progress {
            attempt: 1,
            status: Status::Sent
        }
    );
}

#[test]
fn an_answer_that_a_later_status_overtook_still_says_what_vonage_calls_the_message() {
    for status in [Status::Failed, Status::Delivered, Status::Read] {
        accepted(
            replied_and(status),
            tell(1, took(Some("vonage-1"))),
            identified(1, "vonage-1"),
        );
        already_done(replied_and(status), tell(1, took(None)));
    }
}

#[test]
fn an_earlier_attempt_keeps_what_vonage_calls_it_beside_the_later_one() {
    let mut events = replied_and(Status::Uncertain);
    events.push(requeued(2));
    accepted(
        events.clone(),
        tell(1, took(Some("vonage-1"))),
        identified(1, "vonage-1"),
    );
    events.extend([
        identified(1, "vonage-1"),
        sending(2),
        sent_as(2, Some("vonage-2")),
    ]);
    assert_eq!(
        sent_ids_of(&events),
        [(1, "vonage-1".to_owned()), (2, "vonage-2".to_owned())]
    );
    for (attempt, provider_id) in [(1, "vonage-1"), (2, "vonage-2")] {
        already_done(events.clone(), tell(attempt, took(Some(provider_id))));
        already_done(events.clone(), identify(attempt, provider_id));
    }
}

#[test]
fn what_vonage_calls_an_attempt_survives_its_being_sent_again() {
    let mut events = replied_and(Status::Sending);
    events.extend([
        sent_as(1, Some("vonage-1")),
        told(1, news(Status::Failed)),
        requeued(2),
    ]);
    assert_eq!(sent_ids_of(&events), [(1, "vonage-1".to_owned())]);
    already_done(events, identify(1, "vonage-1"));
}

#[test]
fn what_vonage_calls_an_attempt_is_recorded_once() {
    already_done(replied_and(Status::Sent), identify(1, "provider-20"));
    let mut events = replied_and(Status::Delivered);
    events.push(identified(1, "vonage-1"));
    already_done(events.clone(), identify(1, "vonage-1"));
    already_done(events, tell(1, took(Some("vonage-1"))));
}

#[test]
fn a_call_that_was_repeated_after_a_refusal_may_have_been_taken_twice() {
    let mut events = replied_and(Status::Sending);
    events.extend([
        told(1, deferral()),
        sending(1),
        sent_as(1, Some("vonage-2")),
    ]);
    accepted(events, identify(1, "vonage-1"), identified(1, "vonage-1"));
}

#[test]
fn an_attempt_that_was_never_made_is_called_nothing() {
    for attempt in [0, 2] {
        already_done(replied_and(Status::Sent), identify(attempt, "vonage-2"));
        already_done(
            replied_and(Status::Sent),
            tell(attempt, took(Some("vonage-2"))),
        );
    }
}

#[test]
fn only_what_we_said_is_called_something_by_an_attempt() {
    let case = case_of(&[opened(), received(20)]);
    let state = case.state().expect("the case has begun");
    assert_eq!(state.sent_ids(message_id(20)), []);
    assert_eq!(state.sent_ids(message_id(21)), []);
}

// Deferral.

#[test]
fn a_message_that_vonage_could_not_take_now_waits_again() {
    let mut events = replied_and(Status::Sending);
    accepted(events.clone(), tell(1, deferral()), told(1, deferral()));
    events.push(told(1, deferral()));
    assert_eq!(progress_of(&events), Progress::QUEUED);
}

#[test]
fn a_deferred_message_is_claimed_again_under_the_same_attempt() {
    let mut events = replied_and(Status::Sending);
    events.push(told(1, deferral()));
    accepted(events, begin_sending(1), sending(1));
}

#[test]
fn only_a_message_under_way_is_deferred() {
    for status in [
        Status::Queued,
        Status::Sent,
        Status::Failed,
        Status::Delivered,
        Status::Read,
    ] {
        already_done(replied_and(status), tell(1, deferral()));
    }
}

#[test]
fn a_refusal_that_is_heard_of_late_settles_an_uncertain_message() {
    let failed = News::Failed {
        code: None,
        reason: "429".into(),
    };
    accepted(
        replied_and(Status::Uncertain),
        tell(1, deferral()),
        told(1, failed),
    );
    already_done(replied_and(Status::Uncertain), tell(2, deferral()));
}

#[test]
fn a_deferral_of_an_earlier_attempt_does_not_touch_the_current_one() {
    let mut events = replied_and(Status::Failed);
    events.extend([requeued(2), sending(2)]);
    already_done(events, tell(1, deferral()));
}

// Sending again.

#[test]
fn a_failed_or_uncertain_message_is_sent_again_whole_as_a_new_attempt() {
    for status in [Status::Failed, Status::Uncertain] {
        accepted(replied_and(status), resend(), requeued(2));
    }
}

#[test]
fn every_sending_again_is_an_attempt_of_its_own() {
    let mut events = replied_and(Status::Failed);
    events.extend([requeued(2), sending(2), told(2, news(Status::Uncertain))]);
    accepted(events, resend(), requeued(3));
}

#[test]
fn a_message_sent_again_waits_under_its_new_attempt() {
    let mut events = replied_and(Status::Failed);
    events.push(requeued(2));
    assert_eq!(
        progress_of(&events),
        Progress {
            attempt: 2,
            status: Status::Queued
        }
    );
}

#[test]
fn a_message_that_may_still_arrive_is_not_sent_again() {
    for status in [
        Status::Queued,
        Status::Sending,
        Status::Sent,
        Status::Delivered,
        Status::Read,
    ] {
        refused(
            replied_and(status),
            resend(),
            CaseError::NotResendable { status },
        );
    }
}

#[test]
fn late_news_of_an_old_attempt_does_not_touch_the_new_one() {
    let mut events = replied_and(Status::Uncertain);
    events.extend([requeued(2), identified(1, "provider-20")]);
    for status in [Status::Uncertain, Status::Sent, Status::Failed] {
        already_done(events.clone(), tell(1, news(status)));
    }
}

#[test]
fn an_old_attempt_that_arrived_after_all_settles_the_message() {
    for status in [Status::Delivered, Status::Read] {
        let mut events = replied_and(Status::Uncertain);
        events.push(requeued(2));
        accepted(events, tell(1, news(status)), told(1, news(status)));
    }
}

#[test]
fn a_message_whose_old_attempt_arrived_is_not_sent_once_more() {
    let mut events = replied_and(Status::Uncertain);
    events.extend([requeued(2), told(1, news(Status::Delivered))]);
    refused(
        events.clone(),
        begin_sending(2),
        CaseError::NotQueued {
            status: Status::Delivered,
        },
    );
    refused(
        events,
        resend(),
        CaseError::NotResendable {
            status: Status::Delivered,
        },
    );
}

#[test]
fn a_late_failure_of_the_new_attempt_does_not_undo_the_arrival_of_the_old_one() {
    let mut events = replied_and(Status::Uncertain);
    events.extend([requeued(2), sending(2), told(1, news(Status::Delivered))]);
    already_done(events, tell(2, news(Status::Failed)));
}

// Status.

#[test]
fn the_closing_answer_closes_the_case_and_the_event_says_so() {
    accepted(vec![opened()], set_status("Resolved", true), closed());
    assert_eq!(stage_of(&[opened(), closed()]), Stage::Closed);
}

#[test]
fn another_answer_reopens_the_case() {
    accepted(
        vec![opened(), closed()],
        set_status("Waiting", false),
        reopened(),
    );
    assert_eq!(stage_of(&[opened(), closed(), reopened()]), Stage::Open);
}

#[test]
fn another_answer_that_does_not_close_leaves_the_case_open() {
    let waiting = CaseEvent::StatusChanged {
        question: Some("How far is it?".into()),
        from: Some("New".into()),
        to: "Waiting".into(),
        closed: false,
    };
    accepted(
        vec![opened()],
        set_status("Waiting", false),
        waiting.clone(),
    );
    assert_eq!(stage_of(&[opened(), waiting]), Stage::Open);
}

#[test]
fn the_same_answer_again_is_no_event() {
    already_done(vec![opened()], set_status("New", false));
    already_done(vec![opened(), closed()], set_status("Resolved", true));
}

#[test]
fn the_same_answer_closes_the_case_once_the_survey_says_that_it_does() {
    let closed_by_same = CaseEvent::StatusChanged {
        question: Some("How far is it?".into()),
        from: Some("New".into()),
        to: "New".into(),
        closed: true,
    };
    accepted(vec![opened()], set_status("New", true), closed_by_same);
}

#[test]
fn a_closed_case_stays_closed_when_the_survey_changes_its_closing_answer() {
    let events = [opened(), closed()];
    assert!(
        !case_of(&events).is_open(),
        "the event says that it closed, whatever the survey says now"
    );
}

#[test]
fn a_first_answer_follows_none() {
    let unanswered = CaseEvent::CaseOpened(Opened {
        status: None,
        ..beginning(Origin::Record)
    });
    accepted(
        vec![unanswered],
        set_status("New", false),
        CaseEvent::StatusChanged {
            question: Some("How far is it?".into()),
            from: None,
            to: "New".into(),
            closed: false,
        },
    );
}

// Assignee, title, notes.

#[test]
fn a_case_is_given_to_somebody_to_another_and_to_nobody() {
    let given_to = |from: Option<u128>, to: Option<u128>| CaseEvent::AssigneeChanged {
        from: from.map(assignee),
        to: to.map(assignee),
    };
    let to_ann = given_to(None, Some(ANN));
    let to_ben = given_to(Some(ANN), Some(BEN));
    let to_nobody = given_to(Some(BEN), None);
    accepted(vec![opened()], assign(Some(assignee(ANN))), to_ann.clone());
    accepted(
        vec![opened(), to_ann.clone()],
        assign(Some(assignee(BEN))),
        to_ben.clone(),
    );
    accepted(vec![opened(), to_ann, to_ben], assign(None), to_nobody);
}

#[test]
fn giving_a_case_to_whom_it_is_given_is_no_event() {
    let to_ann = CaseEvent::AssigneeChanged {
        from: None,
        to: Some(assignee(ANN)),
    };
    already_done(vec![opened(), to_ann.clone()], assign(Some(assignee(ANN))));
    already_done(vec![opened()], assign(None));
    let with_new_address = Assignee {
        email: "ann@example.com".into(),
        ..assignee(ANN)
    };
    already_done(vec![opened(), to_ann], assign(Some(with_new_address)));
}

#[test]
fn a_case_gets_another_title() {
    let renamed = CaseEvent::TitleChanged {
        from: "Appointment request".into(),
        to: "Opening hours".into(),
    };
    accepted(vec![opened()], rename("Opening hours"), renamed.clone());
    let case = case_of(&[opened(), renamed]);
    assert_eq!(
        *case.state().expect("the case has begun").title,
        "Opening hours"
    );
}

#[test]
fn the_same_title_again_is_no_event() {
    already_done(vec![opened()], rename("Appointment request"));
}

#[test]
fn a_title_has_1_to_200_characters() {
    refused(vec![opened()], rename(" \n"), CaseError::Empty("the title"));
    refused(
        vec![opened()],
        rename("é".repeat(MAX_TITLE_CHARS + 1)),
        CaseError::TooLong {
            what: "the title",
            chars: MAX_TITLE_CHARS + 1,
            max: MAX_TITLE_CHARS,
        },
    );
    let longest = rename("é".repeat(MAX_TITLE_CHARS));
    given(vec![opened()])
        .when(longest)
        .inspect_result()
        .expect("that many are possible");
}

#[test]
fn a_note_is_recorded_with_its_author_and_is_no_message() {
    accepted(
        vec![opened(), received(10)],
        add_note("Called back"),
        noted("Called back"),
    );
    let case = case_of(&[opened(), received(10), noted("Called back")]);
    let state = case.state().expect("the case has begun");
    assert_eq!((state.notes, state.messages.len()), (1, 1));
}

#[test]
fn a_closed_case_takes_notes() {
    accepted(
        vec![opened(), closed()],
        add_note("Called back"),
        noted("Called back"),
    );
}

#[test]
fn a_note_has_1_to_10000_characters() {
    refused(vec![opened()], add_note(""), CaseError::Empty("the note"));
    refused(
        vec![opened()],
        add_note("é".repeat(MAX_NOTE_CHARS + 1)),
        CaseError::TooLong {
            what: "the note",
            chars: MAX_NOTE_CHARS + 1,
            max: MAX_NOTE_CHARS,
        },
    );
    let longest = add_note("é".repeat(MAX_NOTE_CHARS));
    given(vec![opened()])
        .when(longest)
        .inspect_result()
        .expect("that many are possible");
}

// Moving out.

#[test]
fn a_message_is_moved_out_with_the_comment_and_where_to() {
    let moved = CaseEvent::MessageMovedOut {
        message_id: message_id(10),
        to: reference(THERE),
        made_case: true,
        comment: Some("Another subject".into()),
    };
    accepted(
        vec![opened(), received(10)],
        move_out(10, Some("Another subject")),
        moved,
    );
}

#[test]
fn moving_into_a_case_that_was_there_says_so() {
    let into_existing = CaseCommand::MoveOut {
        message_id: message_id(10),
        to: reference(THERE),
        made_case: false,
        comment: None,
    };
    let moved = CaseEvent::MessageMovedOut {
        message_id: message_id(10),
        to: reference(THERE),
        made_case: false,
        comment: None,
    };
    accepted(vec![opened(), received(10)], into_existing, moved);
}

#[test]
fn a_message_that_was_moved_out_stands_in_the_case_no_more() {
    let events = vec![opened(), received(10), received(11), moved_out(10)];
    let case = case_of(&events);
    let state = case.state().expect("the case has begun");
    assert_eq!(
        state.inbound(message_id(10)),
        Err(CaseError::NoSuchMessage(message_id(10)))
    );
    assert_eq!(state.inbound(message_id(11)), Ok(&inbound(11)));
    assert_eq!(state.moved_out[&message_id(10)].to, reference(THERE));
    refused(
        events,
        move_out(10, None),
        CaseError::NoSuchMessage(message_id(10)),
    );
}

#[test]
fn a_message_leaves_a_closed_case_too() {
    accepted(
        vec![opened(), received(10), closed()],
        move_out(10, None),
        moved_out(10),
    );
}

#[test]
fn only_messages_that_came_in_are_moved() {
    refused(
        replied_and(Status::Delivered),
        move_out(20, None),
        CaseError::NotInbound(message_id(20)),
    );
}

#[test]
fn a_message_that_does_not_stand_here_is_not_moved() {
    refused(
        vec![opened()],
        move_out(10, None),
        CaseError::NoSuchMessage(message_id(10)),
    );
}

#[test]
fn a_message_is_not_moved_to_where_it_stands() {
    let to_itself = CaseCommand::MoveOut {
        message_id: message_id(10),
        to: reference(HERE),
        made_case: false,
        comment: None,
    };
    refused(
        vec![opened(), received(10)],
        to_itself,
        CaseError::AlreadyThere(reference(HERE)),
    );
}

#[test]
fn a_comment_has_1_to_10000_characters() {
    let events = vec![opened(), received(10)];
    refused(
        events.clone(),
        move_out(10, Some(" ")),
        CaseError::Empty("the comment"),
    );
    let longest = "é".repeat(MAX_NOTE_CHARS);
    given(events.clone())
        .when(move_out(10, Some(&longest)))
        .inspect_result()
        .expect("that many are possible");
    refused(
        events,
        move_out(10, Some(&"e".repeat(MAX_NOTE_CHARS + 1))),
        CaseError::TooLong {
            what: "the comment",
            chars: MAX_NOTE_CHARS + 1,
            max: MAX_NOTE_CHARS,
        },
    );
}

// Moving in.

#[test]
fn a_message_moves_into_an_open_case() {
    accepted(vec![opened(), received(10)], move_in(11), moved_in(11));
}

#[test]
fn a_message_moves_into_the_case_that_the_move_makes() {
    let into_new = CaseCommand::MoveIn {
        message: inbound(10),
        from: reference(THERE),
        made_case: true,
        comment: Some("Another subject".into()),
        reaction: None,
    };
    let moved = CaseEvent::MessageMovedIn {
        message: inbound(10),
        from: reference(THERE),
        made_case: true,
        comment: Some("Another subject".into()),
        reaction: None,
    };
    accepted(vec![made_by_move()], into_new, moved);
}

#[test]
fn a_message_keeps_time_author_and_content_when_it_moves_in() {
    let case = case_of(&[opened(), moved_in(11)]);
    let state = case.state().expect("the case has begun");
    assert_eq!(state.inbound(message_id(11)), Ok(&inbound(11)));
}

#[test]
fn a_message_does_not_move_into_a_closed_case() {
    refused(vec![opened(), closed()], move_in(11), CaseError::Closed);
}

#[test]
fn a_message_does_not_move_to_where_it_stands_already() {
    refused(
        vec![opened(), received(10)],
        move_in(10),
        CaseError::AlreadyThere(reference(HERE)),
    );
}

#[test]
fn a_message_that_was_moved_out_can_be_moved_back() {
    let events = vec![opened(), received(10), moved_out(10)];
    accepted(events.clone(), move_in(10), moved_in(10));
    let case = case_of(&[events, vec![moved_in(10)]].concat());
    let state = case.state().expect("the case has begun");
    assert_eq!(state.messages[&message_id(10)].sequence, 4);
    assert!(state.moved_out.is_empty(), "it is not out any more");
}

#[test]
fn a_move_cannot_be_taken_back_once_the_message_was_moved_back() {
    refused(
        vec![opened(), received(10), moved_out(10), moved_in(10)],
        take_back(10, THERE),
        CaseError::NoSuchMessage(message_id(10)),
    );
}

#[test]
fn a_message_does_not_move_into_a_record() {
    let record = || vec![case_opened(Origin::Record), received(10)];
    let refusal = || CaseError::Record(reference(HERE));
    refused(record(), move_in(11), refusal());
    let mut closed_record = record();
    closed_record.push(closed());
    refused(closed_record, move_in(11), refusal());
}

#[test]
fn a_case_records_that_its_message_left_another_one() {
    let removed = CaseEvent::MessageRemovedElsewhere {
        message_id: message_id(10),
        from: reference(THERE),
        comment: Some("Stands here already".into()),
    };
    let events = vec![opened(), received(10)];
    accepted(
        events.clone(),
        removed_elsewhere_command(10),
        removed.clone(),
    );
    let before = case_of(&events);
    let after = case_of(&[events, vec![removed]].concat());
    assert_eq!(after.state(), before.state(), "nothing else changes");
    refused(
        vec![opened(), received(10)],
        removed_elsewhere_command(11),
        CaseError::NoSuchMessage(message_id(11)),
    );
}

// Undoing a move.

#[test]
fn a_move_is_undone_while_nothing_was_said_since() {
    accepted(
        vec![made_by_move(), moved_in(10)],
        undo_move(10),
        move_undone(10),
    );
}

#[test]
fn a_move_is_undone_in_spite_of_the_note_with_its_comment() {
    accepted(
        vec![made_by_move(), moved_in(10), noted("Another subject")],
        undo_move(10),
        move_undone(10),
    );
}

#[test]
fn a_move_is_undone_although_the_case_was_closed_or_assigned() {
    let assigned = CaseEvent::AssigneeChanged {
        from: None,
        to: Some(assignee(ANN)),
    };
    accepted(
        vec![made_by_move(), moved_in(10), assigned, closed()],
        undo_move(10),
        move_undone(10),
    );
}

#[test]
fn an_undone_move_leaves_a_case_without_messages_that_is_withdrawn() {
    let case = case_of(&withdrawn());
    let state = case.state().expect("the case has begun");
    assert_eq!(state.stage, Stage::Withdrawn);
    assert_eq!(state.status.as_deref(), Some("Resolved"));
    assert!(state.messages.is_empty());
    assert!(!case.is_open());
}

#[test]
fn a_withdrawn_case_keeps_its_status_where_the_survey_has_no_closing_answer() {
    let undone = CaseEvent::MoveUndone {
        message_id: message_id(10),
        to: reference(THERE),
        status: None,
    };
    let case = case_of(&[made_by_move(), moved_in(10), undone]);
    assert_eq!(
        case.state().expect("the case has begun").status.as_deref(),
        Some("New")
    );
}

#[test]
fn a_case_that_no_move_made_has_none_to_undo() {
    for origin in [Origin::Message, Origin::Record, Origin::Agent] {
        refused(
            vec![case_opened(origin), moved_in(10)],
            undo_move(10),
            CaseError::NotMadeByMove,
        );
    }
}

#[test]
fn a_move_is_not_undone_after_the_contact_wrote_again() {
    refused(
        vec![made_by_move(), moved_in(10), received(11)],
        undo_move(10),
        CaseError::SaidSinceMove,
    );
}

#[test]
fn a_move_is_not_undone_after_a_reply() {
    refused(
        vec![made_by_move(), moved_in(10), replied()],
        undo_move(10),
        CaseError::SaidSinceMove,
    );
}

#[test]
fn a_move_is_not_undone_after_another_message_came_and_was_moved_on() {
    refused(
        vec![made_by_move(), moved_in(10), received(11), moved_out(11)],
        undo_move(10),
        CaseError::SaidSinceMove,
    );
}

#[test]
fn a_move_is_undone_after_another_message_was_moved_in_and_on() {
    accepted(
        vec![made_by_move(), moved_in(10), moved_in(11), moved_out(11)],
        undo_move(10),
        move_undone(10),
    );
}

#[test]
fn a_move_is_not_undone_while_another_message_stands_here() {
    refused(
        vec![made_by_move(), moved_in(10), moved_in(11)],
        undo_move(10),
        CaseError::OtherMessageHere,
    );
}

#[test]
fn a_move_is_undone_after_its_message_went_on_and_came_back() {
    accepted(
        vec![
            made_by_move(),
            moved_in(10),
            moved_out(10),
            returned(10, None),
        ],
        undo_move(10),
        move_undone(10),
    );
}

#[test]
fn a_move_of_a_message_that_does_not_stand_here_is_not_undone() {
    refused(
        vec![made_by_move(), moved_in(10)],
        undo_move(11),
        CaseError::NoSuchMessage(message_id(11)),
    );
    refused(
        vec![made_by_move(), moved_in(10), moved_out(10)],
        undo_move(10),
        CaseError::NoSuchMessage(message_id(10)),
    );
}

#[test]
fn a_move_is_not_undone_by_a_message_of_ours() {
    refused(
        vec![made_by_move(), moved_in(10), replied()],
        undo_move(20),
        CaseError::NotInbound(message_id(20)),
    );
}

// Taking back what a move had taken.

#[test]
fn the_case_takes_its_message_back() {
    let returned = returned(10, None);
    let events = vec![opened(), received(10), moved_out(10)];
    accepted(events, take_back(10, THERE), returned);
}

#[test]
fn a_message_that_came_back_stands_where_it_stood() {
    let returned = returned(10, None);
    let before = case_of(&[opened(), received(10), received(11)]);
    let mut after = case_of(&[
        opened(),
        received(10),
        received(11),
        moved_out(10),
        returned,
    ])
    .state()
    .cloned()
    .expect("the case has begun");
    let came_back = after.messages.get_mut(&message_id(10)).expect("it is back");
    assert_eq!(came_back.sequence, 5, "it is news from then on");
    came_back.sequence = 2;
    let before = before.state().expect("the case has begun");
    assert_eq!((after.said.contact, before.said.contact), (5, 3));
    after.said = before.said.clone();
    assert_eq!(&after, before);
}

#[test]
fn a_message_that_came_back_is_news_to_a_reply() {
    let events = vec![
        opened(),
        received(10),
        moved_out(10),
        returned(10, None),
        noted("Called back"),
    ];
    let reply_seeing = |seen| CaseCommand::Reply {
        message: reply_of(ANN, 20),
        seen_version: Some(seen),
    };
    for seen in [2, 3] {
        let refusal = CaseError::SaidSince { seen, version: 5 };
        refused(events.clone(), reply_seeing(seen), refusal);
    }
    for seen in [4, 5] {
        accepted(events.clone(), reply_seeing(seen), replied());
    }
}

#[test]
fn a_message_comes_back_into_a_case_that_was_closed_meanwhile() {
    let returned = returned(10, None);
    let events = vec![opened(), received(10), moved_out(10), closed()];
    accepted(events.clone(), take_back(10, THERE), returned.clone());
    assert_eq!(stage_of(&[events, vec![returned]].concat()), Stage::Closed);
}

#[test]
fn a_message_comes_back_only_from_where_it_went() {
    refused(
        vec![opened(), received(10), moved_out(10)],
        take_back(10, 103),
        CaseError::NoSuchMessage(message_id(10)),
    );
}

#[test]
fn a_message_comes_back_once() {
    let returned = returned(10, None);
    refused(
        vec![opened(), received(10), moved_out(10), returned],
        take_back(10, THERE),
        CaseError::NoSuchMessage(message_id(10)),
    );
}

#[test]
fn a_message_that_never_left_does_not_come_back() {
    refused(
        vec![opened(), received(10)],
        take_back(10, THERE),
        CaseError::NoSuchMessage(message_id(10)),
    );
}

// Withdrawn cases.

#[test]
fn nothing_can_be_done_with_a_withdrawn_case() {
    for command in [
        receive(11),
        reply(reply_of(ANN, 20)),
        CaseCommand::ReplyAutomatically(outbound(21, Author::SEVERAL_CASES)),
        set_status("New", false),
        set_status("Resolved", true),
        assign(Some(assignee(ANN))),
        assign(None),
        rename("Opening hours"),
        rename("Appointment request"),
        add_note("Called back"),
        move_in(10),
        undo_move(10),
        take_back(10, THERE),
        react(reaction(10, Some("👍"), 1)),
    ] {
        refused(withdrawn(), command, CaseError::Withdrawn);
    }
}

#[test]
fn a_withdrawn_case_has_no_messages_to_send_or_move() {
    for command in [begin_sending(1), tell(1, news(Status::Sent)), resend()] {
        refused(
            withdrawn(),
            command,
            CaseError::NoSuchMessage(message_id(20)),
        );
    }
    for command in [move_out(10, None), removed_elsewhere_command(10)] {
        refused(
            withdrawn(),
            command,
            CaseError::NoSuchMessage(message_id(10)),
        );
    }
}

#[test]
fn a_case_whose_own_move_was_undone_takes_no_message_back() {
    // Message 11 was moved here and on to a case that its move made; then the move that made this case was undone.
    let events = vec![
        made_by_move(),
        moved_in(10),
        moved_in(11),
        moved_out(11),
        move_undone(10),
    ];
    refused(events, take_back(11, THERE), CaseError::Withdrawn);
}

// Reactions.

#[test]
fn an_open_or_closed_case_records_a_reaction() {
    let thumb = || reaction(10, Some("👍"), 1);
    for events in [
        vec![opened(), received(10)],
        vec![opened(), received(10), closed()],
        vec![opened(), received(10), moved_out(10)],
        vec![case_opened(Origin::Record), received(10)],
        vec![opened()],
    ] {
        let stage = stage_of(&events);
        accepted(events.clone(), react(thumb()), reacted(thumb()));
        let after = [events, vec![reacted(thumb())]].concat();
        assert_eq!(stage_of(&after), stage, "it neither opens nor closes");
    }
}

#[test]
fn a_reaction_is_nothing_said() {
    let events = vec![
        opened(),
        received(10),
        replied(),
        reacted(reaction(10, Some("👍"), 1)),
        reacted(reaction(20, Some("❤️"), 2)),
        reacted(reaction(20, None, 3)),
    ];
    let reply = CaseCommand::Reply {
        message: reply_of(ANN, 21),
        seen_version: Some(3),
    };
    accepted(events, reply, CaseEvent::MessageQueued(reply_of(ANN, 21)));
    let events = vec![
        made_by_move(),
        moved_in(10),
        reacted(reaction(10, Some("👍"), 1)),
    ];
    accepted(events, undo_move(10), move_undone(10));
}

#[test]
fn the_newest_reaction_counts_in_whatever_order_they_come() {
    let thumb = || reaction(10, Some("👍"), 1);
    let heart = || reaction(10, Some("❤️"), 2);
    let off = || reaction(10, None, 3);
    let table = [
        (vec![thumb()], Some("👍")),
        (vec![thumb(), heart()], Some("❤️")),
        (vec![heart(), thumb()], Some("❤️")),
        (vec![thumb(), heart(), off()], None),
        (vec![off(), thumb(), heart()], None),
        (vec![heart(), reaction(10, Some("🙏"), 2)], Some("🙏")),
        (vec![off(), reaction(10, Some("🙏"), 4)], Some("🙏")),
    ];
    for (reactions, expected) in table {
        let events: Vec<_> = [opened(), received(10)]
            .into_iter()
            .chain(reactions.into_iter().map(reacted))
            .collect();
        let case = case_of(&events);
        let state = case.state().expect("the case has begun");
        let newest = &state.reactions[&message_id(10)];
        assert_eq!(newest.emoji.as_ref().map(|emoji| emoji.as_str()), expected);
        assert_eq!(newest.removed, expected.is_none());
    }
}

#[test]
fn a_reaction_that_comes_again_is_not_recorded_again() {
    let thumb = || reaction(10, Some("👍"), 1);
    already_done(
        vec![opened(), received(10), reacted(thumb())],
        react(thumb()),
    );
}

#[test]
fn a_reaction_to_an_unknown_message_is_recorded_and_is_on_none() {
    let unknown = || Reaction {
        message_id: None,
        ..reaction(10, Some("👍"), 1)
    };
    let events = vec![opened(), received(10)];
    accepted(events.clone(), react(unknown()), reacted(unknown()));
    let case = case_of(&[events, vec![reacted(unknown())]].concat());
    let state = case.state().expect("the case has begun");
    assert!(state.reactions.is_empty());
}

#[test]
fn a_reaction_goes_with_its_message() {
    let thumb = || reaction(10, Some("👍"), 1);
    let newest = |events: &[CaseEvent]| {
        let case = case_of(events);
        let state = case.state().expect("the case has begun");
        let reaction = state.reactions.get(&message_id(10))?;
        Some(reaction.emoji.clone()?.0)
    };
    let moved = [made_by_move(), moved_in_with(10, Some(thumb()))];
    assert_eq!(newest(&moved).as_deref(), Some("👍"));
    let heart = reaction(10, Some("❤️"), 2);
    let back = [
        opened(),
        received(10),
        reacted(thumb()),
        moved_out(10),
        returned(10, Some(heart)),
    ];
    assert_eq!(newest(&back).as_deref(), Some("❤️"));
    let stale = [
        opened(),
        received(10),
        reacted(thumb()),
        moved_out(10),
        returned(10, None),
    ];
    assert_eq!(newest(&stale).as_deref(), Some("👍"));
}

// What people read.

#[test]
fn a_refusal_says_what_is_the_matter() {
    let sentences = [
        (
            CaseError::SaidSince {
                seen: 2,
                version: 3,
            },
            "something was said since you looked; read it, then ask again with seen_version 3",
        ),
        (
            CaseError::NotQueued {
                status: Status::Sending,
            },
            "the message is sending, not waiting to be sent",
        ),
        (
            CaseError::NotResendable {
                status: Status::Delivered,
            },
            "the message is delivered; only a failed or uncertain one can be sent again",
        ),
        (
            CaseError::AlreadyThere(reference(THERE)),
            "the message stands in case #102 already",
        ),
        (CaseError::Empty("the note"), "the note must not be empty"),
        (
            CaseError::TooLong {
                what: "the title",
                chars: 201,
                max: 200,
            },
            "the title has 201 characters; at most 200 are possible",
        ),
    ];
    for (error, sentence) in sentences {
        assert_eq!(error.to_string(), sentence);
    }
}

#[test]
fn a_message_whose_line_is_gone_goes_out_from_another_one() {
    let line_id = LineId(Uuid::from_u128(10));
    let failed = told(1, news(Status::Failed));
    let said = OutboundMessage {
        line_id,
        ..reply_of(ANN, 20)
    };
    let again = CaseEvent::MessageRequeued {
        message: Box::new(said.clone()),
        attempt: 2,
    };
    let command = CaseCommand::Resend {
        message_id: message_id(20),
        line_id: Some(line_id),
    };
    let events = vec![opened(), replied(), failed];
    accepted(events.clone(), command, again.clone());

    // From then on it belongs to that line.
    let events = [events, vec![again]].concat();
    let case = case_of(&events);
    let state = case.state().expect("the case has begun");
    assert_eq!(
        state.outbound(message_id(20)).expect("it is there").0,
        &said
    );
}

#[test]
fn deferrals_are_counted_in_each_attempt() {
    let deferrals_of = |events: &[CaseEvent]| {
        let case = case_of(events);
        let state = case.state().expect("the case has begun");
        state.deferrals(message_id(20))
    };
    let mut events = vec![opened(), received(10), replied()];
    assert_eq!(deferrals_of(&events), 0);
    for count in 1..=3 {
        events.extend([sending(1), told(1, deferral())]);
        assert_eq!(deferrals_of(&events), count);
    }
    events.extend([sending(1), told(1, news(Status::Failed))]);
    events.push(requeued(2));
    assert_eq!(deferrals_of(&events), 0);
    let case = case_of(&events);
    let state = case.state().expect("the case has begun");
    assert_eq!(state.deferrals(message_id(10)), 0);
}
