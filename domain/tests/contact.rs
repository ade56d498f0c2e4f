//! Contacts: given events, when a command, then events or a refusal.

use cqrs_es::test::TestFramework;
use docket_domain::channel::Channel;
use docket_domain::contact::ContactState;
use docket_domain::contact::profile::{
    Contact, ContactCommand, ContactError, ContactEvent, MAX_NAME_CHARS, MAX_NOTE_CHARS,
    MAX_REASON_CHARS, OptOutCause, OptOutChange,
};
use docket_domain::ids::{ContactId, MessageId, SurveyId};
use docket_domain::personal::Personal;
use uuid::Uuid;

const MESSAGE: MessageId = MessageId(Uuid::from_u128(7));
const BY_MESSAGE: OptOutCause = OptOutCause::Message {
    message_id: MESSAGE,
};

fn given(events: Vec<ContactEvent>) -> cqrs_es::test::AggregateTestExecutor<Contact> {
    TestFramework::<Contact>::with(()).given(events)
}

fn name(text: &str) -> Personal<String> {
    text.into()
}

fn renamed(from: Option<&str>, to: Option<&str>) -> ContactEvent {
    ContactEvent::ContactRenamed {
        from: from.map(Into::into),
        to: to.map(Into::into),
    }
}

fn rename(text: &str) -> ContactCommand {
    ContactCommand::Rename { name: text.into() }
}

fn note(text: &str) -> ContactCommand {
    ContactCommand::Note { note: text.into() }
}

fn set(
    opted_out: bool,
    channel: Channel,
    cause: OptOutCause,
    reason: Option<&str>,
) -> ContactCommand {
    ContactCommand::SetOptOut(OptOutChange {
        channel,
        opted_out,
        cause,
        reason: reason.map(Into::into),
    })
}

fn opted_out(channel: Channel) -> ContactEvent {
    ContactEvent::ContactOptedOut {
        channel,
        cause: BY_MESSAGE,
        reason: None,
    }
}

fn opted_in(channel: Channel) -> ContactEvent {
    ContactEvent::ContactOptedIn {
        channel,
        cause: BY_MESSAGE,
        reason: None,
    }
}

fn suspected() -> ContactEvent {
    ContactEvent::OptOutSuspected {
        channel: Channel::Sms,
        message_id: MESSAGE,
    }
}

fn suspect(channel: Channel) -> ContactCommand {
    ContactCommand::Suspect {
        channel,
        message_id: MESSAGE,
    }
}

#[test]
fn a_name_is_one_line_and_an_empty_one_takes_it_off() {
    given(vec![])
        .when(rename("  Jane \n\u{200b} Example "))
        .then_expect_events(vec![renamed(None, Some("Jane Example"))]);
    let jane = || vec![renamed(None, Some("Jane Example"))];
    given(jane())
        .when(rename("Jane Example"))
        .then_expect_events(vec![]);
    given(jane())
        .when(rename(" \u{200b} "))
        .then_expect_events(vec![renamed(Some("Jane Example"), None)]);
    given(vec![]).when(rename("")).then_expect_events(vec![]);
    given(vec![])
        .when(rename(&"x".repeat(MAX_NAME_CHARS + 1)))
        .then_expect_error(ContactError::TooLong {
            what: "name",
            chars: MAX_NAME_CHARS + 1,
            max: MAX_NAME_CHARS,
        });
}

#[test]
fn a_note_keeps_its_lines_and_an_empty_one_takes_it_off() {
    let noted = |text: Option<&str>| ContactEvent::ContactNoted {
        note: text.map(Into::into),
    };
    given(vec![])
        .when(note(" Prefers mornings.\nDeaf in one ear. "))
        .then_expect_events(vec![noted(Some("Prefers mornings.\nDeaf in one ear."))]);
    given(vec![noted(Some("a"))])
        .when(note("a"))
        .then_expect_events(vec![]);
    given(vec![noted(Some("a"))])
        .when(note(""))
        .then_expect_events(vec![noted(None)]);
    given(vec![])
        .when(note(&"x".repeat(MAX_NOTE_CHARS + 1)))
        .then_expect_error(ContactError::TooLong {
            what: "note",
            chars: MAX_NOTE_CHARS + 1,
            max: MAX_NOTE_CHARS,
        });
}

#[test]
fn an_opt_out_is_recorded_once_and_by_channel() {
    given(vec![])
        .when(set(true, Channel::Sms, BY_MESSAGE, None))
        .then_expect_events(vec![opted_out(Channel::Sms)]);
    given(vec![opted_out(Channel::Sms)])
        .when(set(true, Channel::Sms, BY_MESSAGE, None))
        .then_expect_events(vec![]);
    given(vec![opted_out(Channel::Sms)])
        .when(set(true, Channel::Whatsapp, BY_MESSAGE, None))
        .then_expect_events(vec![opted_out(Channel::Whatsapp)]);
}

#[test]
fn only_what_is_opted_out_opts_in_again() {
    given(vec![])
        .when(set(false, Channel::Sms, BY_MESSAGE, None))
        .then_expect_events(vec![]);
    given(vec![opted_out(Channel::Sms)])
        .when(set(false, Channel::Whatsapp, BY_MESSAGE, None))
        .then_expect_events(vec![]);
    given(vec![opted_out(Channel::Sms)])
        .when(set(false, Channel::Sms, BY_MESSAGE, None))
        .then_expect_events(vec![opted_in(Channel::Sms)]);
    given(vec![opted_out(Channel::Sms), opted_in(Channel::Sms)])
        .when(set(true, Channel::Sms, BY_MESSAGE, None))
        .then_expect_events(vec![opted_out(Channel::Sms)]);
}

#[test]
fn a_reason_is_kept_as_people_type_it() {
    let by_hand = |reason: Option<&str>| ContactEvent::ContactOptedOut {
        channel: Channel::Sms,
        cause: OptOutCause::Person,
        reason: reason.map(Into::into),
    };
    let when = |reason: &str| {
        given(vec![]).when(set(true, Channel::Sms, OptOutCause::Person, Some(reason)))
    };
    when(" Asked by phone. ").then_expect_events(vec![by_hand(Some("Asked by phone."))]);
    when(" ").then_expect_events(vec![by_hand(None)]);
    when(&"x".repeat(MAX_REASON_CHARS + 1)).then_expect_error(ContactError::TooLong {
        what: "reason",
        chars: MAX_REASON_CHARS + 1,
        max: MAX_REASON_CHARS,
    });
}

#[test]
fn a_suspicion_is_recorded_once_and_settled_either_way() {
    given(vec![])
        .when(suspect(Channel::Sms))
        .then_expect_events(vec![suspected()]);
    given(vec![suspected()])
        .when(suspect(Channel::Sms))
        .then_expect_events(vec![]);
    given(vec![opted_out(Channel::Sms)])
        .when(suspect(Channel::Sms))
        .then_expect_events(vec![]);
    given(vec![suspected()])
        .when(set(false, Channel::Sms, BY_MESSAGE, None))
        .then_expect_events(vec![opted_in(Channel::Sms)]);
    for settled in [opted_in(Channel::Sms), opted_out(Channel::Sms)] {
        let mut contact = Contact::default();
        contact.evolve(&suspected());
        assert!(contact.suspected.contains(&Channel::Sms));
        contact.evolve(&settled);
        assert!(contact.suspected.is_empty());
    }
}

#[test]
fn a_contact_is_added_before_anything_else() {
    let add = || ContactCommand::Add {
        contact_id: ContactId(Uuid::nil()),
        survey_id: SurveyId(Uuid::nil()),
        number: "447700900123".into(),
    };
    let added = || ContactEvent::ContactAdded {
        contact_id: ContactId(Uuid::nil()),
        survey_id: SurveyId(Uuid::nil()),
        number: "447700900123".into(),
    };
    given(vec![]).when(add()).then_expect_events(vec![added()]);
    given(vec![added()]).when(add()).then_expect_events(vec![]);
}

#[test]
fn decisions_see_whether_anything_may_be_sent() {
    let mut contact = ContactState::new(
        ContactId(Uuid::nil()),
        SurveyId(Uuid::nil()),
        "447700900123".into(),
    );
    assert!(contact.may_be_sent_to(Channel::Sms));
    assert_eq!(contact.evolve_profile(&opted_out(Channel::Sms)), 1);
    assert!(!contact.may_be_sent_to(Channel::Sms));
    assert!(contact.may_be_sent_to(Channel::Whatsapp));
    // What it was asked for one batch alone is forgotten; this is not.
    contact.forget();
    assert!(!contact.may_be_sent_to(Channel::Sms));
    assert_eq!(contact.evolve_profile(&opted_in(Channel::Sms)), 2);
    assert!(contact.may_be_sent_to(Channel::Sms));
    contact.evolve_profile(&renamed(None, Some("Jane Example")));
    assert_eq!(contact.profile().name, Some(name("Jane Example")));
    assert!(contact.kept_bytes() >= "Jane Example".len());
}
