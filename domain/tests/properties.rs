//! What holds of a case whatever is asked of it, in whatever order.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use docket_domain::automatic::Occasion;
use docket_domain::case::{
    Assignee, Author, Body, Case, CaseCommand, CaseError, CaseEvent, CaseLabel, InboundMessage,
    MAX_NOTE_CHARS, MAX_TITLE_CHARS, MediaKind, MediaNews, News, Opened, Origin, OutboundMedia,
    OutboundMessage, Reaction, Stage, State,
};
use docket_domain::channel::Channel;
use docket_domain::contact::profile::{OptOutCause, OptOutChange};
use docket_domain::content::{Content, Media};
use docket_domain::delivery::{Progress, Status};
use docket_domain::event::Event;
use docket_domain::ids::{
    ContactId, LabelId, LineId, MediaId, MessageId, NoteId, Reference, SurveyId, UserId,
};
use docket_domain::media::{MediaFailure, StoredFile};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use serde_json::Number;
use uuid::Uuid;

/// The case of these tests. Ids are few, so that commands often speak of what is there.
const HERE: u32 = 101;

fn reference() -> impl Strategy<Value = Reference> {
    (HERE..HERE + 3).prop_map(|number| Reference::new(number).expect("a reference"))
}

fn inbound_id() -> impl Strategy<Value = MessageId> {
    (1_u128..3).prop_map(|number| MessageId(Uuid::from_u128(number)))
}

fn outbound_id() -> impl Strategy<Value = MessageId> {
    (3_u128..5).prop_map(|number| MessageId(Uuid::from_u128(number)))
}

/// A message of the contact's, seldom one of ours or one that is nowhere.
fn theirs() -> impl Strategy<Value = MessageId> {
    prop_oneof![8 => inbound_id(), 1 => outbound_id(), 1 => Just(MessageId(Uuid::nil()))]
}

/// A message of ours, seldom one of the contact's or one that is nowhere.
fn ours() -> impl Strategy<Value = MessageId> {
    prop_oneof![8 => outbound_id(), 1 => inbound_id(), 1 => Just(MessageId(Uuid::nil()))]
}

fn attempt() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(1), 3 => Just(2), 1 => Just(0), 1 => Just(3)]
}

fn user_id() -> impl Strategy<Value = UserId> {
    (1_u128..4).prop_map(|number| UserId(Uuid::from_u128(number)))
}

fn email() -> impl Strategy<Value = Personal<String>> {
    Just("agent@example.com".into())
}

fn channel() -> impl Strategy<Value = Channel> {
    prop_oneof![Just(Channel::Sms), Just(Channel::Whatsapp)]
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let start = "2026-03-02T09:00:00Z"
        .parse::<DateTime<Utc>>()
        .expect("a time");
    (0..10_000_000_000_000_i64).prop_map(move |nanos| start + TimeDelta::nanoseconds(nanos))
}

/// A few characters of any kind.
fn odd() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter)
}

/// A text, which may be empty or too long.
fn text() -> impl Strategy<Value = Personal<String>> {
    prop_oneof![
        40 => odd().prop_map(Personal),
        4 => Just(" ".into()),
        1 => Just(Personal("é".repeat(MAX_TITLE_CHARS + 1))),
        1 => Just(Personal("é".repeat(MAX_NOTE_CHARS + 1))),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        odd().prop_map(Content::text),
        proptest::option::of(odd()).prop_map(|caption| {
            let url = "https://media.example.com/1".to_owned();
            Content::Image(Media {
                url,
                caption,
                ..Media::default()
            })
        }),
        (-90.0..90.0, -180.0..180.0, proptest::option::of(odd())).prop_map(
            |(latitude, longitude, name)| {
                let degrees = |degrees| Number::from_f64(degrees).expect("no NaN");
                Content::Location {
                    latitude: degrees(latitude),
                    longitude: degrees(longitude),
                    name,
                    address: None,
                }
            }
        ),
    ]
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        2 => Just(Origin::Message),
        1 => Just(Origin::Record),
        1 => Just(Origin::Agent),
        4 => reference().prop_map(|from| Origin::Move { from }),
    ]
}

fn opened() -> impl Strategy<Value = Opened> {
    (
        channel(),
        text(),
        proptest::option::of(status()),
        origin(),
        proptest::option::of(reference()),
    )
        .prop_map(|(channel, title, status, origin, follows)| Opened {
            reference: Reference::new(HERE).expect("a reference"),
            contact_id: ContactId(Uuid::from_u128(7)),
            number: "447700900123".into(),
            survey_id: SurveyId(Uuid::from_u128(8)),
            line_id: LineId(Uuid::from_u128(9)),
            channel,
            title,
            status,
            origin,
            follows,
        })
}

prop_compose! {
    fn reaction()(
        message_id in proptest::option::of(theirs()),
        emoji in proptest::option::of(Just("👍")),
        at in time(),
        provider_id in odd(),
    ) -> Reaction {
        Reaction {
            reaction_id: MessageId(Uuid::from_u128(50)),
            message_id,
            target_provider_id: None,
            emoji: emoji.map(Personal::from),
            removed: emoji.is_none(),
            line_id: LineId(Uuid::from_u128(9)),
            channel: Channel::Whatsapp,
            from: "447700900123".into(),
            provider_id,
            at,
            profile_name: None,
        }
    }
}

prop_compose! {
    fn inbound()(
        message_id in inbound_id(),
        channel in channel(),
        content in content(),
        at in time(),
        quotes in proptest::option::of(odd()),
        profile_name in proptest::option::of(text()),
    ) -> InboundMessage {
        InboundMessage {
            message_id,
            line_id: LineId(Uuid::from_u128(9)),
            channel,
            from: "447700900123".into(),
            content: Personal(content),
            provider_id: "provider".into(),
            at,
            at_is_arrival: false,
            quotes,
            profile_name,
        }
    }
}

prop_compose! {
    fn outbound()(
        message_id in outbound_id(),
        channel in channel(),
        text in text(),
        author in author(),
        media in proptest::option::weighted(0.2, attached()),
    ) -> OutboundMessage {
        OutboundMessage {
            message_id,
            contact_id: ContactId(Uuid::from_u128(7)),
            line_id: LineId(Uuid::from_u128(9)),
            channel,
            to: "447700900123".into(),
            sent_text: Personal(format!("{} #{HERE}", *text)),
            text,
            author,
            references: vec![Reference::new(HERE).expect("a reference")],
            media: media.map(Box::new),
            template: None,
        }
    }
}

fn stored_file() -> impl Strategy<Value = StoredFile> {
    let size = prop_oneof![4 => 1_u64..1_000_000, 1 => Just(200_000_000)];
    (size, proptest::option::of(text())).prop_map(|(size, name)| StoredFile {
        sha256: "a".repeat(64),
        size,
        media_type: "image/jpeg".into(),
        name,
        width: None,
        height: None,
    })
}

fn attached() -> impl Strategy<Value = OutboundMedia> {
    let kind = prop_oneof![
        Just(MediaKind::Image),
        Just(MediaKind::Audio),
        Just(MediaKind::Video),
        Just(MediaKind::File)
    ];
    (kind, stored_file()).prop_map(|(kind, file)| OutboundMedia {
        media_id: MediaId(Uuid::from_u128(60)),
        kind,
        file,
    })
}

fn media_news() -> impl Strategy<Value = MediaNews> {
    prop_oneof![
        stored_file().prop_map(MediaNews::Stored),
        Just(MediaNews::Failed(MediaFailure::Answered { status: 404 })),
    ]
}

fn author() -> impl Strategy<Value = Author> {
    prop_oneof![
        4 => (user_id(), email()).prop_map(|(user_id, email)| Author::User { user_id, email }),
        1 => Just(Author::SEVERAL_CASES),
        1 => (1_u32..4).prop_map(|day| Author::Automatic {
            occasion: Occasion::OutOfHours { on: NaiveDate::from_ymd_opt(2026, 3, day).expect("a date") },
        }),
    ]
}

fn assignee() -> impl Strategy<Value = Assignee> {
    (user_id(), email()).prop_map(|(user_id, email)| Assignee { user_id, email })
}

fn status() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("New".to_owned()),
        Just("Waiting".to_owned()),
        Just("Resolved".to_owned())
    ]
}

fn routed() -> impl Strategy<Value = Routed> {
    let rule = prop_oneof![Just(Rule::First), Just(Rule::OnlyOpen), Just(Rule::AllOpen)];
    (rule, proptest::collection::vec(reference(), 0..3))
        .prop_map(|(rule, references)| Routed::new(rule, references))
}

/// Anything but a deferral.
fn final_news() -> impl Strategy<Value = News> {
    prop_oneof![
        proptest::option::of(odd()).prop_map(|provider_id| News::Sent { provider_id }),
        time().prop_map(|at| News::Delivered {
            at,
            at_is_arrival: false
        }),
        time().prop_map(|at| News::Read {
            at,
            at_is_arrival: false
        }),
        any::<Option<u32>>().prop_map(|code| News::Failed {
            code,
            reason: "refused".into()
        }),
        Just(News::Uncertain {
            reason: "time-out".into()
        }),
    ]
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        4 => final_news(),
        1 => time().prop_map(|not_before| News::Deferred { not_before, reason: "429".into() }),
    ]
}

/// Some of a few labels, of which one was deleted, or too many of them.
fn labels() -> impl Strategy<Value = CaseCommand> {
    let label = |number: u128| CaseLabel {
        label_id: LabelId(Uuid::from_u128(number)),
        name: format!("Label {number}"),
    };
    let some = (proptest::collection::vec(1_u128..5, 0..4), 0_u128..5).prop_map(
        move |(numbers, deleted)| {
            let is_there = |number: &u128| *number != deleted;
            let names = (1..5).filter(is_there).map(label);
            CaseCommand::SetLabels {
                to: numbers.into_iter().filter(is_there).map(label).collect(),
                names: names.map(|label| (label.label_id, label.name)).collect(),
            }
        },
    );
    let many = Just(CaseCommand::SetLabels {
        to: (1..=21).map(label).collect(),
        names: BTreeMap::new(),
    });
    prop_oneof![9 => some, 1 => many]
}

fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

fn command() -> impl Strategy<Value = CaseCommand> {
    prop_oneof![
        1 => opened().prop_map(CaseCommand::Open),
        4 => (inbound(), routed())
            .prop_map(|(message, routed)| CaseCommand::Receive { message, routed }),
        3 => (reaction(), routed())
            .prop_map(|(reaction, routed)| CaseCommand::React { reaction, routed }),
        4 => (outbound(), proptest::option::of(0_u64..40))
            .prop_map(|(message, seen_version)| CaseCommand::Reply { message, seen_version }),
        1 => outbound().prop_map(CaseCommand::ReplyAutomatically),
        6 => (ours(), attempt())
            .prop_map(|(message_id, attempt)| CaseCommand::BeginSending { message_id, attempt }),
        12 => (ours(), attempt(), news()).prop_map(|(message_id, attempt, news)| {
            CaseCommand::RecordDelivery { message_id, attempt, news }
        }),
        6 => (ours(), attempt(), odd()).prop_map(|(message_id, attempt, provider_id)| {
            CaseCommand::Identify { message_id, attempt, provider_id }
        }),
        4 => (ours(), proptest::option::of(Just(LineId(Uuid::from_u128(77))))).prop_map(|(message_id, line_id)| CaseCommand::Resend { message_id, line_id }),
        3 => (theirs(), 0_u16..2, media_news()).prop_map(|(message_id, item, news)| {
            CaseCommand::RecordMedia { message_id, item, news }
        }),
        2 => (status(), any::<bool>())
            .prop_map(|(value, closes)| CaseCommand::SetStatus {
                question: "How far is it?".into(),
                value,
                closes,
            }),
        1 => proptest::option::of(assignee()).prop_map(|to| CaseCommand::Assign { to }),
        3 => labels(),
        4 => (0_i64..500, 0_i64..3).prop_map(|(days, later)| CaseCommand::Snooze {
            until: noon() + TimeDelta::days(days + later),
            now: noon() + TimeDelta::days(days),
        }),
        1 => Just(CaseCommand::Snooze { until: noon() + TimeDelta::days(900), now: noon() }),
        1 => Just(CaseCommand::Wake),
        2 => (0_i64..500).prop_map(|days| CaseCommand::WakeWhenDue { until: noon() + TimeDelta::days(days) }),
        1 => (channel(), any::<bool>()).prop_map(|(channel, opted_out)| {
            CaseCommand::RecordOptOut(OptOutChange { channel, opted_out, cause: OptOutCause::Person, reason: None })
        }),
        1 => text().prop_map(|title| CaseCommand::Rename { title }),
        1 => (author(), text()).prop_map(|(author, text)| {
            CaseCommand::AddNote { note_id: NoteId(Uuid::from_u128(30)), author, text }
        }),
        1 => (0u128..3).prop_map(|people| CaseCommand::Mention {
            note_id: NoteId(Uuid::from_u128(30)),
            users: (0..people).map(|n| UserId(Uuid::from_u128(n))).collect(),
        }),
        2 => (theirs(), reference(), any::<bool>(), proptest::option::of(text())).prop_map(
            |(message_id, to, made_case, comment)| {
                CaseCommand::MoveOut { message_id, to, made_case, comment }
            }
        ),
        7 => (inbound(), reference(), any::<bool>(), proptest::option::of(text()), proptest::option::of(reaction()))
            .prop_map(|(message, from, made_case, comment, reaction)| {
                CaseCommand::MoveIn { message, from, made_case, comment, reaction: reaction.map(Box::new) }
            }),
        2 => (theirs(), reference(), proptest::option::of(text())).prop_map(
            |(message_id, from, comment)| CaseCommand::RecordRemovedElsewhere { message_id, from, comment }
        ),
        5 => (theirs(), proptest::option::of(status())).prop_map(
            |(message_id, closed_status)| CaseCommand::UndoMove { message_id, others: vec![], closed_status }
        ),
        3 => (theirs(), proptest::collection::vec(theirs(), 1..4)).prop_map(
            |(message_id, others)| CaseCommand::UndoMove { message_id, others, closed_status: None }
        ),
        3 => (theirs(), reference(), proptest::option::of(reaction())).prop_map(
            |(message_id, from, reaction)| CaseCommand::TakeBack { message_id, from, reaction: reaction.map(Box::new) }
        ),
    ]
}

/// Commands in any order. Most histories begin with the case's beginning, as all of the rest is refused before.
fn commands() -> impl Strategy<Value = Vec<CaseCommand>> {
    let first = proptest::option::weighted(0.9, opened().prop_map(CaseCommand::Open));
    (first, proptest::collection::vec(command(), 0..50))
        .prop_map(|(first, rest)| first.into_iter().chain(rest).collect())
}

/// What one command did.
struct Step {
    before: Case,
    command: CaseCommand,
    result: Result<Vec<CaseEvent>, CaseError>,
    after: Case,
}

/// Everything that these commands did, one after the other.
fn play(commands: Vec<CaseCommand>) -> Vec<Step> {
    let mut case = Case::default();
    commands
        .into_iter()
        .map(|command| {
            let before = case.clone();
            let result = case.decide(command.clone());
            for event in result.iter().flatten() {
                case.evolve(event);
            }
            Step {
                before,
                command,
                result,
                after: case.clone(),
            }
        })
        .collect()
}

/// The events and the state that these commands led to.
fn history(commands: Vec<CaseCommand>) -> (Vec<CaseEvent>, Case) {
    let steps = play(commands);
    let last = steps
        .last()
        .map(|step| step.after.clone())
        .unwrap_or_default();
    (
        steps
            .into_iter()
            .filter_map(|step| step.result.ok())
            .flatten()
            .collect(),
        last,
    )
}

fn replay<'a>(events: impl IntoIterator<Item = &'a CaseEvent>) -> Case {
    let mut case = Case::default();
    for event in events {
        case.evolve(event);
    }
    case
}

/// What the aggregate does when cqrs-es hands it the command.
fn handle(case: &mut Case, command: CaseCommand) -> Result<Vec<CaseEvent>, CaseError> {
    let sink = EventSink::default();
    let mut context = Context::from_waker(Waker::noop());
    let handled = match pin!(case.handle(command, &(), &sink)).poll(&mut context) {
        Poll::Ready(handled) => handled,
        Poll::Pending => panic!("deciding waits for nothing"),
    };
    handled?;
    match pin!(sink.collect()).poll(&mut context) {
        Poll::Ready(events) => Ok(events),
        Poll::Pending => panic!("collecting waits for nothing"),
    }
}

fn message_ids(case: &Case) -> BTreeSet<MessageId> {
    case.state()
        .map(|state| state.messages.keys().copied().collect())
        .unwrap_or_default()
}

fn stage(case: &Case) -> Option<Stage> {
    case.state().map(|state| state.stage)
}

fn outbound_messages(case: &Case) -> Vec<(MessageId, Progress)> {
    let messages = case
        .state()
        .into_iter()
        .flat_map(|state: &State| &state.messages);
    messages
        .filter_map(|(message_id, message)| match &message.body {
            Body::Outbound { progress, .. } => Some((*message_id, *progress)),
            Body::Inbound(_) => None,
        })
        .collect()
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/properties.txt",
        ))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn handling_by_cqrs_es_is_deciding_and_evolving(commands in commands()) {
        let mut handled = Case::default();
        for step in play(commands) {
            prop_assert_eq!(handle(&mut handled, step.command), step.result);
            prop_assert_eq!(&handled, &step.after);
        }
    }

    #[test]
    fn applying_by_cqrs_es_is_evolving(commands in commands()) {
        let (events, case) = history(commands);
        let mut applied = Case::default();
        for event in events {
            applied.apply(event);
        }
        prop_assert_eq!(applied, case);
    }

    #[test]
    fn a_replay_ends_where_the_commands_ended(commands in commands()) {
        let (events, case) = history(commands);
        prop_assert_eq!(replay(&events), case);
    }

    #[test]
    fn a_replay_of_what_was_stored_ends_where_the_commands_ended(commands in commands()) {
        let (events, case) = history(commands);
        let mut read = vec![];
        for event in &events {
            let stored = serde_json::to_string(&Event::Case(event.clone())).expect("serialises");
            read.push(serde_json::from_str::<CaseEvent>(&stored).expect("reads back"));
        }
        prop_assert_eq!(&read, &events);
        prop_assert_eq!(replay(&read), case);
    }

    #[test]
    fn a_state_reads_back_and_goes_on_the_same(commands in commands(), next in command()) {
        let (_, case) = history(commands);
        let stored = serde_json::to_string(&case).expect("serialises");
        let read = serde_json::from_str::<Case>(&stored).expect("reads back");
        prop_assert_eq!(&read, &case);
        prop_assert_eq!(read.decide(next.clone()), case.decide(next));
    }

    #[test]
    fn the_version_is_the_number_of_events(commands in commands()) {
        let mut events = 0;
        for step in play(commands) {
            events += step.result.iter().flatten().count() as u64;
            prop_assert_eq!(step.after.version(), events);
        }
    }

    #[test]
    fn delivery_moves_backwards_only_by_a_deferral_or_a_new_attempt(commands in commands()) {
        for step in play(commands) {
            for (message_id, was) in outbound_messages(&step.before) {
                let now = outbound_messages(&step.after).into_iter().find(|(id, _)| *id == message_id);
                let (_, now) = now.expect("what we said never leaves the case");
                let deferred = matches!(
                    step.result.as_deref(),
                    Ok([CaseEvent::MessageDeferred { message_id: deferred, .. }]) if *deferred == message_id
                );
                if deferred {
                    prop_assert_eq!(was.status, Status::Sending);
                    prop_assert_eq!(now, Progress { status: Status::Queued, ..was });
                } else if now.attempt == was.attempt {
                    prop_assert!(now.status >= was.status, "{:?} after {:?}", now, was);
                } else {
                    prop_assert!(matches!(was.status, Status::Failed | Status::Uncertain));
                    prop_assert_eq!(now, Progress { attempt: was.attempt + 1, status: Status::Queued });
                }
            }
        }
    }

    /// The end is the same in whatever order news comes, and however often. Without deferrals, which the worker alone makes, one
    /// at a time.
    #[test]
    fn news_in_any_order_and_twice_ends_the_same(
        (news, shuffled) in proptest::collection::vec(final_news(), 1..6).prop_flat_map(|news| {
            let twice = [news.clone(), news.clone()].concat();
            (Just(news), Just(twice).prop_shuffle())
        }),
        opened in opened(),
        message in outbound(),
    ) {
        let message_id = message.message_id;
        let sent = [
            CaseEvent::CaseOpened(opened),
            CaseEvent::MessageQueued(message),
            CaseEvent::MessageSending { message_id, attempt: 1 },
        ];
        let end = |news: Vec<News>| {
            let mut case = replay(&sent);
            for news in news {
                let command = CaseCommand::RecordDelivery { message_id, attempt: 1, news };
                for event in case.decide(command).expect("news of our message is never refused") {
                    case.evolve(&event);
                }
            }
            let state = case.state().expect("it has begun");
            let sent_ids: BTreeSet<String> =
                state.sent_ids(message_id).iter().map(|known| known.provider_id.clone()).collect();
            (outbound_messages(&case), sent_ids)
        };
        let told: BTreeSet<String> = news
            .iter()
            .filter_map(|news| match news {
                News::Sent { provider_id } => provider_id.clone(),
                _ => None,
            })
            .collect();
        prop_assert_eq!(end(news.clone()).1, told, "no id is lost");
        prop_assert_eq!(end(shuffled), end(news));
    }

    /// Two ways in remain on purpose: an agent answers, or undoes a move.
    #[test]
    fn a_closed_case_gains_no_message_by_itself(commands in commands()) {
        for step in play(commands) {
            let gained = &message_ids(&step.after) - &message_ids(&step.before);
            if stage(&step.before) == Some(Stage::Closed) && !gained.is_empty() {
                prop_assert!(
                    matches!(step.command, CaseCommand::Reply { .. } | CaseCommand::TakeBack { .. }),
                    "gained by {:?}", step.command
                );
            }
        }
    }

    #[test]
    fn a_withdrawn_case_stays_withdrawn_and_empty(commands in commands()) {
        for step in play(commands) {
            if stage(&step.before) == Some(Stage::Withdrawn) {
                prop_assert_eq!(&step.after, &step.before);
            }
            if stage(&step.after) == Some(Stage::Withdrawn) {
                prop_assert!(message_ids(&step.after).is_empty());
            }
        }
    }

    #[test]
    fn a_message_that_was_moved_out_does_not_stand_in_the_case(commands in commands()) {
        let (_, case) = history(commands);
        if let Some(state) = case.state() {
            for message_id in state.moved_out.keys() {
                prop_assert!(!state.messages.contains_key(message_id));
            }
        }
    }

    #[test]
    fn a_message_stands_in_the_case_from_the_event_that_brought_it(commands in commands()) {
        let (events, case) = history(commands);
        for (message_id, message) in case.state().into_iter().flat_map(|state| &state.messages) {
            let index = usize::try_from(message.sequence).expect("small") - 1;
            let brought = match &events[index] {
                CaseEvent::MessageReceived { message, .. } | CaseEvent::MessageMovedIn { message, .. } => message.message_id,
                CaseEvent::MessageReturned { message_id, .. } => *message_id,
                CaseEvent::MessageQueued(message) => message.message_id,
                other => panic!("{} brings no message", other.type_name()),
            };
            prop_assert_eq!(brought, *message_id);
        }
    }

    #[test]
    fn a_message_is_recorded_once_whatever_comes_again(commands in commands()) {
        let (events, _) = history(commands);
        let mut recorded = BTreeSet::new();
        for event in &events {
            if let CaseEvent::MessageReceived { message: InboundMessage { message_id, .. }, .. }
            | CaseEvent::MessageQueued(OutboundMessage { message_id, .. }) = event
            {
                prop_assert!(recorded.insert(*message_id), "{:?}", event);
            }
        }
    }

    /// A note is told from another by its id alone, which a case does not keep: repeating it is for the ledger to prevent. So are a
    /// reaction that comes again after another one, the trace of a move that the other case refuses to do again, and an opt-out, which
    /// the contact refuses to do again.
    #[test]
    fn what_was_done_is_not_done_again(commands in commands()) {
        for step in play(commands) {
            let leaves_no_key = matches!(
                step.command,
                CaseCommand::AddNote { .. }
                    | CaseCommand::Mention { .. }
                    | CaseCommand::React { .. }
                    | CaseCommand::RecordRemovedElsewhere { .. }
                    | CaseCommand::RecordOptOut(_)
            );
            if step.result.is_ok() && !leaves_no_key {
                let again = step.after.decide(step.command.clone());
                prop_assert!(
                    again.as_ref().map_or(true, Vec::is_empty),
                    "{:?} again: {:?}", step.command, again
                );
            }
        }
    }

    #[test]
    fn debug_output_shows_nothing_personal(commands in commands()) {
        for step in play(commands) {
            let shown = format!("{:?} {:?} {:?}", step.command, step.result, step.after);
            prop_assert!(!shown.contains("447700900123"), "{}", shown);
            prop_assert!(!shown.contains("agent@example.com"), "{}", shown);
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// The write path decides on brief cases: they must come to what the whole ones come to, and stay so.
    #[test]
    fn a_brief_case_decides_as_the_whole_one(commands in commands()) {
        let mut brief = Case::default();
        let mut events: Vec<(u64, CaseEvent)> = vec![];
        for step in play(commands) {
            let others = match &step.command {
                CaseCommand::UndoMove { others, .. } => others.as_slice(),
                _ => &[],
            };
            for message_id in step.command.message_id().into_iter().chain(others.iter().copied()) {
                if brief.knows(message_id) {
                    continue;
                }
                let about = events.iter().filter(|(_, event)| event.message_id() == Some(message_id));
                brief.recall(message_id, about.map(|(sequence, event)| (*sequence, event)));
            }
            prop_assert_eq!(brief.decide(step.command.clone()), step.result.clone(), "{:?}", step.command);
            for event in step.result.into_iter().flatten() {
                brief.evolve(&event);
                events.push((brief.version(), event));
            }
            prop_assert_eq!(brief.version(), step.after.version());
            if brief.is_outdated() {
                brief = step.after.summary().map(Case::brief).unwrap_or_default();
            }
            brief.forget();
            prop_assert_eq!(brief.summary(), step.after.summary());
            prop_assert!(brief.state().is_none_or(|state| state.messages.len() <= 4));
        }
    }
}

/// The properties above say little of what never happens in them.
#[test]
fn random_commands_lead_to_every_event_and_every_refusal() {
    let mut runner = TestRunner::deterministic();
    let mut recorded = BTreeSet::new();
    let mut refusals = BTreeSet::new();
    for _ in 0..600 {
        let commands = commands()
            .new_tree(&mut runner)
            .expect("nothing is filtered out")
            .current();
        for step in play(commands) {
            match step.result {
                Ok(events) => recorded.extend(events.iter().map(CaseEvent::type_name)),
                Err(error) => {
                    refusals.insert(name(&error));
                }
            }
        }
    }
    assert_eq!(recorded, BTreeSet::from(CaseEvent::TYPES));
    assert_eq!(refusals.len(), 22, "{refusals:?}");
}

fn name(error: &CaseError) -> &'static str {
    match error {
        CaseError::NotOpened => "NotOpened",
        CaseError::AlreadyOpened => "AlreadyOpened",
        CaseError::Closed => "Closed",
        CaseError::Withdrawn => "Withdrawn",
        CaseError::SaidSince { .. } => "SaidSince",
        CaseError::NoSuchMessage(_) => "NoSuchMessage",
        CaseError::NotInbound(_) => "NotInbound",
        CaseError::NotOutbound(_) => "NotOutbound",
        CaseError::AlreadyThere(_) => "AlreadyThere",
        CaseError::NotQueued { .. } => "NotQueued",
        CaseError::NotResendable { .. } => "NotResendable",
        CaseError::NotMadeByMove => "NotMadeByMove",
        CaseError::OtherMessageHere => "OtherMessageHere",
        CaseError::Record(_) => "Record",
        CaseError::SaidSinceMove => "SaidSinceMove",
        CaseError::MediaNotTaken { .. } => "MediaNotTaken",
        CaseError::MediaTooLarge { .. } => "MediaTooLarge",
        CaseError::MediaWithoutCaption => "MediaWithoutCaption",
        CaseError::TooManyLabels => "TooManyLabels",
        CaseError::SnoozeTime => "SnoozeTime",
        CaseError::Empty(_) => "Empty",
        CaseError::TooLong { .. } => "TooLong",
    }
}
