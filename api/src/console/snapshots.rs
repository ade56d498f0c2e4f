//! Every page of the agents' desk, rendered from sample contexts and compared with a snapshot: what a template says in every one of
//! its branches, without a database. What stands around a page (its head, the bar) is left out, so that a snapshot changes with
//! its page only.

use askama::Template;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use docket_domain::channel::Channel;
use insta::assert_snapshot;

use super::answers::Answers;
use super::bar::Bar;
use super::bulk::Bulk;
use super::counter::Counter;
use super::labels::{Chip, LabelsForm, Marks, SnoozeForm};
use super::list::{Filters, Nothing};
use super::marking::Hit;
use super::pages::*;
use super::saved::SavedEntry;
use super::thread::arrange::arrange;
use super::window::Window;
use super::words;

fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn when(minutes: i64) -> When {
    When::of(at(minutes), at(60))
}

fn frame(may_act: bool) -> Frame {
    Frame {
        email: "agent@example.com".to_owned(),
        shown: "agent@example.com".to_owned(),
        person: "u1".to_owned(),
        role: if may_act { "Agent" } else { "Auditor" },
        csrf: "c5f".to_owned(),
        may_act,
        oversees: !may_act,
        may_set_up: false,
        bar: Bar {
            section: "inbox",
            unrouted: usize::from(!may_act),
            health: 0,
        },
        position: 12,
        password_given: false,
        notifies: false,
        notice: "".into(),
        phone: None,
    }
}

/// What the page shows of itself.
#[track_caller]
fn shown(page: &impl Template) -> String {
    let html = page.render().unwrap();
    // Neither an inline script nor an inline style, which the browser would refuse.
    for refused in [" style=", " onclick=", "<style", "javascript:"] {
        assert!(!html.contains(refused), "{refused} in {html}");
    }
    assert_eq!(
        html.matches("<h1").count(),
        1,
        "one heading of the first level"
    );
    assert_eq!(html.matches("<main").count(), 1, "one main part");
    let ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(ids.len(), unique.len(), "each id once: {ids:?}");
    let begin = ["<div class=\"desk\"", "<main"]
        .into_iter()
        .find_map(|beginning| html.find(beginning))
        .unwrap();
    let end = html.find("</body>").unwrap();
    html[begin..end].trim().to_owned()
}

fn choice(name: &str, is_current: bool) -> Choice {
    Choice {
        name: name.to_owned(),
        value: name.to_owned(),
        is_current,
    }
}

fn hit(text: &str, is_hit: bool) -> Hit {
    Hit {
        text: text.to_owned(),
        is_hit,
    }
}

fn entry(reference: u32) -> CaseEntry {
    CaseEntry {
        href: format!("/cases/{reference}"),
        reference,
        order: 12,
        version: 7,
        title: vec![hit("The lift <stands> still", false)],
        number: vec![hit("+447700900123", false)],
        name: None,
        initials: String::new(),
        colour: 2,
        channel: "SMS",
        channel_icon: "sms",
        survey: "Support".to_owned(),
        status: "New".to_owned(),
        tone: "new",
        last: vec![
            hit("Is the <", false),
            hit("lift", true),
            hit("> mended?", false),
        ],
        lead: "",
        unread: String::new(),
        waits: "2 h".to_owned(),
        has_failed: false,
        assignee: None,
        assignee_initials: String::new(),
        when: when(0),
        marks: marks(),
        is_current: false,
        opt_out: "",
    }
}

fn marks() -> Marks {
    Marks {
        labels: vec![chip()],
        snoozed: Some(when(0)),
    }
}

fn chip() -> Chip {
    Chip {
        name: "Urgent <now>".to_owned(),
        colour: "red",
        is_current: true,
    }
}

fn list(entries: Vec<CaseEntry>) -> List {
    List {
        views: vec![
            ViewLink {
                name: "Open".to_owned(),
                href: "/".to_owned(),
                is_current: true,
                count: String::new(),
                is_alarming: false,
            },
            ViewLink {
                name: "Failed".to_owned(),
                href: "/?view=failed".to_owned(),
                is_current: false,
                count: "99+".to_owned(),
                is_alarming: true,
            },
        ],
        filters: Filters {
            surveys: vec![choice("Support", true), choice("Clinic", false)],
            statuses: vec![choice("New", false)],
            people: vec![choice("Me", false), choice("agent@example.com", true)],
            lines: vec![choice("+447700900000 (SMS)", false)],
            labels: vec![choice("Urgent <now>", false)],
            channels: vec![choice("SMS", false)],
            since: "2026-03-01".to_owned(),
            until: String::new(),
            by_waiting: true,
            is_of_one: false,
            set: 3,
            none: "/".to_owned(),
        },
        view: "open",
        q: String::new(),
        heading: "Open",
        entries,
        nothing: None,
        saved: vec![SavedEntry {
            name: "Late <ones>".to_owned(),
            href: "/?view=waiting".to_owned(),
            is_current: true,
            shared: true,
            remove: Some("/views/v1/remove".to_owned()),
        }],
        query: "status=New".to_owned(),
        unkept: None,
        first_steps: None,
        older: None,
        newest: None,
        bulk: Some(Bulk {
            action: "/cases/several".to_owned(),
            once: "o1".to_owned(),
            open: None,
            colleagues: vec![Choice {
                name: "agent@example.com".to_owned(),
                value: "agent@example.com".to_owned(),
                is_current: false,
            }],
            all: "All cases that match".to_owned(),
        }),
        notice: String::new(),
        undo: vec![],
    }
}

#[test]
fn an_inbox() {
    let unread = CaseEntry {
        href: "/cases/103#new".to_owned(),
        name: Some(vec![hit("عائشة", false)]),
        channel: "WhatsApp",
        channel_icon: "whatsapp",
        initials: "ع".to_owned(),
        unread: "3".to_owned(),
        assignee: Some("owner@example.com".to_owned()),
        assignee_initials: "O".to_owned(),
        ..entry(103)
    };
    let closed = CaseEntry {
        status: "Resolved".to_owned(),
        tone: "closed",
        lead: "You:",
        has_failed: true,
        waits: String::new(),
        ..entry(101)
    };
    let list = List {
        q: "\"lift\"".to_owned(),
        older: Some("/?cursor=1-101".to_owned()),
        newest: Some("/".to_owned()),
        notice: "2 cases were closed.".to_owned(),
        undo: vec!["101.0".to_owned(), "103.1".to_owned()],
        ..list(vec![unread, entry(102), closed])
    };
    assert_snapshot!(shown(&Inbox {
        frame: frame(true),
        list,
        case: None,
    }));
}

#[test]
fn an_empty_inbox_of_an_auditor() {
    let list = List {
        bulk: None,
        nothing: Some(Nothing {
            sentence: "Nothing in Open".to_owned(),
            joint: ", ",
            links: vec![("/?view=closed".to_owned(), "1 in Closed".to_owned())],
        }),
        ..list(vec![])
    };
    assert_snapshot!(shown(&Inbox {
        frame: frame(false),
        list,
        case: None,
    }));
}

fn message(is_ours: bool) -> Message {
    Message {
        is_ours,
        is_automatic: false,
        channel: "SMS",
        is_other_channel: false,
        quote: None,
        cards: vec![],
        files: vec![],
        text: Some(text("Hello\n<you>")),
        may_opt_out: !is_ours,
        time_note: "",
        why: vec![],
        why_matters: false,
        only_in: None,
        state: None,
        sent_as: None,
        move_href: None,
        undo_move: None,
        resend: None,
        reaction: None,
    }
}

fn item(number: i64, who: &str, body: Body) -> Item {
    let by = match &body {
        Body::Message(_) => format!("{who}-sms"),
        Body::Note(_) => format!("{who}-note"),
        Body::Marker { .. } => String::new(),
    };
    Item {
        id: format!("i{number}-0"),
        by,
        ..Item::new(who.to_owned(), at(number), when(number), body)
    }
}

/// A text with a link in it.
fn text(words: &str) -> Vec<Span> {
    let span = |text: &str, href: Option<&str>| Span {
        text: text.to_owned(),
        href: href.map(str::to_owned),
    };
    vec![
        span(words, None),
        span(" www.example.com", Some("https://www.example.com/")),
        span(" +44 7700 900123", Some("tel:+447700900123")),
    ]
}

fn piece(text: &str, href: Option<&str>) -> Piece {
    Piece {
        text: text.to_owned(),
        href: href.map(str::to_owned),
    }
}

/// A message of the contact's with everything that it can have.
fn inbound() -> Message {
    Message {
        quote: Some("What you said".to_owned()),
        time_note: words::TIME_OF_ARRIVAL,
        cards: vec![Card {
            icon: "photo",
            title: "Photo".to_owned(),
            detail: "lift.jpg".to_owned(),
            href: Some("https://media.example.com/1".to_owned()),
            hint: words::CARD_OPEN_HINT,
        }],
        why: vec![
            piece("Moved from ", None),
            piece("#100", Some("/cases/100")),
        ],
        why_matters: true,
        only_in: Some(OnlyIn {
            action: "/cases/101/messages/m1/move".to_owned(),
            to: 102,
            label: words::only_in(102),
        }),
        move_href: Some("/cases/101/messages/m1/move".to_owned()),
        undo_move: Some("/cases/101/messages/m1/undo-move".to_owned()),
        reaction: Some(ReactionMark {
            emoji: "👍".to_owned(),
            who: "Jane <Doe>".to_owned(),
            when: when(5),
        }),
        ..message(false)
    }
}

/// Somebody takes the case.
fn taken(number: i64) -> Item {
    let body = Body::Marker {
        icon: "person",
        sentence: vec![piece("owner@example.com took the case", None)],
        comment: None,
    };
    item(number, "owner@example.com", body)
}

/// One item of every kind, with everything that it can show.
fn items() -> Vec<Item> {
    let opened = Body::Marker {
        icon: "plus",
        sentence: vec![
            piece("The case began and follows ", None),
            piece("#100", Some("/cases/100")),
        ],
        comment: None,
    };
    let failed = Message {
        state: Some(State {
            word: "Failed",
            icon: "cross",
            tone: "bad",
            reason: Some("the number is barred".to_owned()),
        }),
        sent_as: Some("Hello\n<you> #101".to_owned()),
        resend: Some(Resend {
            action: "/cases/101/messages/m2/resend".to_owned(),
            warning: words::SEND_AGAIN_FAILED,
        }),
        ..message(true)
    };
    let automatic = Message {
        is_automatic: true,
        state: Some(State {
            word: "Delivered",
            icon: "checks",
            tone: "calm",
            reason: None,
        }),
        ..message(true)
    };
    let status = Body::Marker {
        icon: "check",
        sentence: vec![piece(
            &words::status_changed("owner@example.com", Some("Done?"), Some("New"), "حُلّت", true),
            None,
        )],
        comment: None,
    };
    let moved = Body::Marker {
        icon: "move",
        sentence: vec![
            piece("owner@example.com moved a message to ", None),
            piece("#102", Some("/cases/102")),
        ],
        comment: Some("That is <other>".to_owned()),
    };
    let note = Item {
        is_new: true,
        ..item(7, "owner@example.com", Body::Note(text("Call them")))
    };
    let divided = Item {
        is_new: true,
        begins_new: true,
        ..item(6, "عائشة", Body::Message(Box::new(message(false))))
    };
    let mut items = vec![
        item(1, "The contact", opened),
        item(2, "The contact", Body::Message(Box::new(inbound()))),
        item(3, "agent@example.com", Body::Message(Box::new(failed))),
        item(4, "Automatic reply", Body::Message(Box::new(automatic))),
        item(5, "owner@example.com", status),
        divided,
        note,
        item(8, "owner@example.com", moved),
        taken(9),
        taken(10),
        item(11, "The contact", Body::Message(Box::new(message(false)))),
        item(12, "The contact", Body::Message(Box::new(message(false)))),
    ];
    arrange(&mut items, at(60));
    items
}

fn case() -> Case {
    Case {
        reference: 101,
        opt_out: None,
        contact: "/contacts/c1".to_owned(),
        title: "The lift".to_owned(),
        number: "+447700900123".to_owned(),
        name: None,
        channel: "SMS",
        survey: "Support".to_owned(),
        line: "+447700900000 (SMS)".to_owned(),
        opened: when(0),
        messages: "4 messages".to_owned(),
        version: 8,
        read_to: Some(5),
        unread_action: "/cases/101/unread".to_owned(),
        presence: String::new(),
        counter: Counter::of(Channel::Sms, " #101".to_owned(), ""),
        window: None,
        templates: vec![],
        template_action: "/cases/124/template?view=all".into(),
        closing: Some("Resolved".to_owned()),
        is_closed: false,
        is_withdrawn: false,
        status: "New".to_owned(),
        tone: "new",
        question: "How far is it?".to_owned(),
        statuses: vec![choice("New", true), choice("Resolved", false)],
        assignee: None,
        assignee_email: None,
        is_mine: false,
        colleagues: vec![choice("agent@example.com", false)],
        has_more_colleagues: false,
        links: vec![],
        more_links: None,
        others: vec![],
        more_others: None,
        items: items(),
        earlier: None,
        later: None,
        back: "/".to_owned(),
        write_action: "/cases/101/write".to_owned(),
        status_action: "/cases/101/status".to_owned(),
        assignee_action: "/cases/101/assignee".to_owned(),
        title_action: "/cases/101/title".to_owned(),
        typed_title: None,
        appended: Some(words::appended(101)),
        goes_out_from: words::goes_out_from("+44 7700 900000", "SMS"),
        has_line: true,
        is_connected: true,
        focuses_box: false,
        once: "o2".to_owned(),
        me: "agent@example.com".to_owned(),
        answers: Answers {
            action: "/cases/101".to_owned(),
            place: vec![],
            choices: vec![choice("Opening hours", false)],
        },
        draft: Draft {
            text: String::new(),
            is_note: false,
            media_id: String::new(),
        },
        refusal: String::new(),
        said_since: false,
        closes_anyway: false,
        undo_status: None,
        undo_action: "/cases/101/status".to_owned(),
        marks: marks(),
        labels: LabelsForm {
            action: "/cases/101/labels".to_owned(),
            choices: vec![chip()],
            is_open: false,
        },
        snooze: SnoozeForm {
            action: "/cases/101/snooze".to_owned(),
            wake_action: "/cases/101/wake".to_owned(),
            choices: vec![choice("hour", false)],
            at: "2026-03-02T09:00".to_owned(),
            is_open: true,
        },
    }
}

fn beside_the_list(frame: Frame, case: Case) -> String {
    shown(&Inbox {
        frame,
        list: list(vec![CaseEntry {
            is_current: true,
            ..entry(101)
        }]),
        case: Some(case),
    })
}

#[test]
fn a_case_with_items_of_every_kind() {
    assert_snapshot!(beside_the_list(frame(true), case()));
}

#[test]
fn a_case_by_whatsapp_after_a_refusal() {
    let text = "See you at ten…";
    let case = Case {
        name: Some("عائشة".to_owned()),
        channel: "WhatsApp",
        presence: words::presence(&["owner@example.com".to_owned()]),
        counter: Counter::of(Channel::Whatsapp, " #101".to_owned(), text),
        window: Window::of(Channel::Whatsapp, Some(at(0)), at(60)),
        items: vec![],
        earlier: Some("/cases/101?before=9".to_owned()),
        later: Some("/cases/101".to_owned()),
        draft: Draft {
            text: text.to_owned(),
            is_note: false,
            media_id: String::new(),
        },
        refusal: words::SAID_SINCE.to_owned(),
        said_since: true,
        links: vec![LinkedCase {
            href: "/cases/100".to_owned(),
            sentence: "Follows #100".to_owned(),
            title: "Before".to_owned(),
            is_closed: true,
        }],
        others: vec![LinkedCase {
            href: "/cases/102".to_owned(),
            sentence: "#102".to_owned(),
            title: "Beside".to_owned(),
            is_closed: false,
        }],
        ..case()
    };
    assert_snapshot!(beside_the_list(frame(true), case));
}

#[test]
fn a_case_that_was_just_closed() {
    let case = Case {
        window: Window::of(Channel::Whatsapp, Some(at(0)), at(24 * 60)),
        closing: None,
        is_closed: true,
        is_mine: true,
        status: "Resolved".to_owned(),
        tone: "closed",
        has_line: false,
        is_connected: false,
        items: vec![],
        undo_status: Some("New".to_owned()),
        draft: Draft {
            text: "For colleagues".to_owned(),
            is_note: true,
            media_id: String::new(),
        },
        ..case()
    };
    let frame = Frame {
        notice: words::done("closed").into(),
        ..frame(true)
    };
    assert_snapshot!(beside_the_list(frame, case));
}

#[test]
fn a_case_as_an_auditor_sees_it() {
    let case = Case {
        items: vec![],
        assignee: Some("agent@example.com".to_owned()),
        ..case()
    };
    let page = beside_the_list(frame(false), case);
    assert!(!page.contains("method=\"post\" action=\"/cases/101"));
    assert_snapshot!(page);
}

#[test]
fn a_case_whose_move_was_undone() {
    let case = Case {
        is_closed: true,
        is_withdrawn: true,
        tone: "closed",
        items: vec![],
        ..case()
    };
    assert_snapshot!(beside_the_list(frame(true), case));
}

#[test]
fn a_message_is_moved() {
    assert_snapshot!(shown(&MoveForm {
        frame: frame(true),
        reference: 101,
        back: "/cases/101".to_owned(),
        action: "/cases/101/messages/m1/move".to_owned(),
        item: item(2, "The contact", Body::Message(Box::new(message(false)))),
        targets: vec![Choice {
            name: "#102: Beside".to_owned(),
            value: "102".to_owned(),
            is_current: true,
        }],
        typed: "#103".to_owned(),
        comment: "Another <subject>".to_owned(),
        following: words::and_following(2),
        and_following: true,
        once: "o3".to_owned(),
        refusal: "The case is closed.".to_owned(),
    }));
}

#[test]
fn a_case_is_begun() {
    let begin = |lines| Begin {
        templates: vec![],
        parameters: String::new(),
        frame: frame(true),
        lines,
        number: "12".to_owned(),
        text: "We have news".to_owned(),
        title: String::new(),
        once: "o4".to_owned(),
        understood: String::new(),
        anyway: String::new(),
        open: vec![],
        refusal: Some((
            "The number must be an international one.".to_owned(),
            "number",
        )),
    };
    let line = Choice {
        name: "Support: +447700900000 (SMS)".to_owned(),
        value: "l1".to_owned(),
        is_current: false,
    };
    assert_snapshot!(shown(&begin(vec![line])));
    assert_snapshot!("a_case_cannot_be_begun", shown(&begin(vec![])));
    let open = Begin {
        understood: "+44 7700 900123".to_owned(),
        anyway: "447700900123".to_owned(),
        open: vec![LinkedCase {
            href: "/cases/101".to_owned(),
            sentence: "#101".to_owned(),
            title: "The lift".to_owned(),
            is_closed: false,
        }],
        refusal: None,
        ..begin(vec![Choice {
            name: "Support: +44 7700 900000 (SMS)".to_owned(),
            value: "l1".to_owned(),
            is_current: true,
        }])
    };
    assert_snapshot!("a_case_is_begun_beside_another", shown(&open));
}

#[test]
fn people_come_in_and_see_where_they_are() {
    assert_snapshot!(
        "sign_in",
        shown(&SignIn {
            csrf: "c5f".to_owned(),
            next: "/cases/101?view=mine".to_owned(),
            email: "agent@example.com".to_owned(),
            refusal: words::SIGN_IN_WRONG.to_owned(),
            elsewhere: None,
            unsent: String::new(),
        })
    );
    let session = |label: &str, is_this| SessionView {
        action: "/sessions/s1/end".to_owned(),
        label: label.to_owned(),
        began: when(0),
        seen: when(50),
        is_this,
    };
    assert_snapshot!(
        "sessions",
        shown(&Sessions {
            frame: frame(true),
            rows: vec![
                session("Firefox on Linux", true),
                session("Safari on iPhone", false),
            ],
        })
    );
    assert_snapshot!(
        "failure",
        shown(&Failure {
            title: "Not there",
            sentence: words::NO_SUCH_CASE.to_owned(),
        })
    );
}
