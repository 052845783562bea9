"""Reports of email servers and automatic answers, and everything else that comes to the return
path.
"""

import io
import logging
from datetime import UTC, datetime, timedelta

import pytest

from app.mail.events import report_meaning, report_parts
from app.mail.events.hearing import LONGEST_WORDS, Counts
from app.mail.events.reports import hear_report
from app.mail.outbox.event_tables import EmailEvent, Event, EventSource
from app.mail.outbox.tables import OutboxEmail, State, SuppressedAddress
from tests.mail.events.test_hearing import events, sent
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.reports import report

ADDRESS = "customer1@example.org"
NEW, AGAIN, UNMATCHED, NOTHING = Counts(new=1), Counts(again=1), Counts(unmatched=1), Counts()


def take_in(outbox: Outbox, octets: bytes) -> Counts:
    registry = outbox.registry
    return hear_report(
        registry.database,
        octets,
        tags=registry.email_tags,
        kinds=registry.email_kinds,
        now=registry.clock(),
    )


def sample(outbox: Outbox, name: str, email: OutboxEmail, **changes: str) -> bytes:
    return report(name, outbox.registry, email, **changes)


def suppressed(outbox: Outbox) -> list[str]:
    with outbox.registry.database.transaction(write=False) as session:
        return [row.address for row in session.query(SuppressedAddress)]


def only_event(outbox: Outbox) -> EmailEvent:
    [event] = events(outbox)
    return event


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("postfix", "5.1.1", "Recipient address rejected: User unknown in virtual mailbox table"),
        ("postfix_utf8", "5.2.1", "550 5.2.1 Postfach gelöscht"),
        ("exim", "5.1.1", "550 5.1.1 User unknown"),
        ("exim_old", "5.1.1", "SMTP error from remote mail server after RCPT TO:"),
        ("sendmail", "5.1.1", "User unknown"),
        ("microsoft_365", "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient"),
        ("gmail", "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist."),
        ("qmail", "5.1.1", "Sorry, no mailbox here by that name. (#5.1.1)"),
    ],
)
def test_a_bounce_of_any_email_server_names_the_email_and_says_why(
    sending: Outbox, name: str, code: str, words: str
) -> None:
    email = sent(sending)
    assert take_in(sending, sample(sending, name, email)) == NEW
    event, row = only_event(sending), sending.row(email)
    assert (event.source, event.event, event.code, event.is_hard) == (
        "report",
        Event.BOUNCED,
        code,
        True,
    )
    assert words in event.words
    assert row.state == State.BOUNCED
    assert words in (row.reason or "")
    assert suppressed(sending) == [ADDRESS]


@pytest.mark.parametrize(
    ("name", "event", "code", "state"),
    [
        ("postfix_delayed", Event.DEFERRED, "4.4.1", State.SENT),
        ("postfix_delivered", Event.DELIVERED, "2.0.0", State.SENT),
        ("sendmail_expired", Event.BOUNCED, "4.4.7", State.BOUNCED),
        ("feedback", Event.COMPLAINED, None, State.SENT),
        ("vacation", Event.AUTORESPONDED, None, State.SENT),
        ("exchange_away", Event.AUTORESPONDED, None, State.SENT),
    ],
)
@on_sqlite
def test_every_other_report_becomes_the_event_that_it_tells(
    sending: Outbox, name: str, event: Event, code: str | None, state: State
) -> None:
    email = sent(sending)
    assert take_in(sending, sample(sending, name, email)) == NEW
    heard = only_event(sending)
    assert (heard.event, heard.code, heard.is_hard) == (event, code, False)
    assert sending.row(email).state == state
    assert suppressed(sending) == ([ADDRESS] if event is Event.COMPLAINED else [])


@on_sqlite
def test_the_words_of_an_automatic_answer_are_its_subject(sending: Outbox) -> None:
    take_in(sending, sample(sending, "vacation", sent(sending)))
    assert only_event(sending).words == "Abwesend: zurück am 7."


@pytest.mark.parametrize("subject", ["=?utf-8?b?x?=", "=?no-such?b?YQ==?="])
@on_sqlite
def test_a_subject_that_cannot_be_decoded_is_kept_as_it_is(sending: Outbox, subject: str) -> None:
    octets = sample(sending, "vacation", sent(sending))
    octets = octets.replace(b"=?utf-8?q?Abwesend=3A_zur=C3=BCck_am_7=2E?=", subject.encode())
    assert take_in(sending, octets) == NEW
    assert only_event(sending).words == subject


@on_sqlite
def test_the_time_is_the_reports(sending: Outbox, clock: Clock) -> None:
    email = sent(sending)
    clock.advance(timedelta(days=1))
    take_in(sending, sample(sending, "postfix_delivered", email))
    assert sending.row(email).delivered_at == datetime(2026, 11, 22, 12, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Sun, 22 Nov 1970 12:00:07 +0000",
        "Sun, 99 Nov 2026 99:00:07 +9999",
        "yesterday",
        "",
    ],
)
@on_sqlite
def test_a_date_that_cannot_be_is_replaced_by_now(sending: Outbox, clock: Clock, date: str) -> None:
    octets = sample(sending, "postfix", sent(sending))
    octets = octets.replace(
        b"Date: Sun, 22 Nov 2026 12:00:07 +0000 (UTC)", f"Date: {date}".encode()
    )
    assert take_in(sending, octets) == NEW
    assert only_event(sending).at == clock()


# --- Which email ----------------------------------------------------------------


def test_the_tag_counts_in_capitals_too(sending: Outbox) -> None:
    email = sent(sending)
    tag = sending.registry.email_tags.of(email.id).upper()
    octets = sample(sending, "postfix", email, tag=tag, message_id="<lost@relay.example>")
    assert take_in(sending, octets) == NEW
    assert sending.row(email).state == State.BOUNCED


@pytest.mark.parametrize(
    "header", ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To"]
)
@on_sqlite
def test_the_tag_is_read_from_every_header_that_names_the_reports_recipient(
    sending: Outbox, header: str
) -> None:
    email = sent(sending)
    tag = sending.registry.email_tags.of(email.id)
    octets = sample(sending, "postfix", email, tag="none", message_id="<lost@relay.example>")
    octets = f"{header}: <Bounces+{tag}@shop.example.org>\n".encode() + octets
    assert take_in(sending, octets) == NEW


@pytest.mark.parametrize(
    "name", ["postfix", "postfix_utf8", "exim_old", "gmail", "qmail", "feedback", "vacation"]
)
@on_sqlite
def test_without_a_tag_the_message_id_names_the_email(sending: Outbox, name: str) -> None:
    email = sent(sending)
    assert take_in(sending, sample(sending, name, email, tag="none")) == NEW
    assert only_event(sending).email_id == email.id


@on_sqlite
def test_a_return_path_in_the_returned_email_names_the_email(sending: Outbox) -> None:
    email = sent(sending)
    octets = sample(sending, "postfix", email, message_id="<lost@relay.example>")
    tag = sending.registry.email_tags.of(email.id).encode()
    headers, _, body = octets.partition(b"\n\n")
    octets = headers.replace(tag, b"none") + b"\n\n" + body
    assert take_in(sending, octets) == NEW


@pytest.mark.parametrize("name", ["postfix", "qmail", "feedback", "vacation", "person"])
def test_a_forged_report_changes_nothing_and_no_address_in_it_counts(
    sending: Outbox, name: str
) -> None:
    email = sent(sending)
    tag = sending.registry.email_tags.of(email.id)
    others = ("1-aaaaaaaaaaaaaaaa", f"{email.id + 1:x}-{tag.partition('-')[2]}", tag[:-1], "")
    for other in others:
        octets = sample(sending, name, email, tag=other, message_id="<forged@evil.example>")
        assert take_in(sending, octets) == UNMATCHED
    assert events(sending) == []
    assert sending.row(email).state == State.SENT
    assert suppressed(sending) == []
    with sending.registry.database.transaction(write=False) as session:
        assert session.get_one(EventSource, "report").unmatched == len(others)


def test_a_report_about_an_erased_row_is_unmatched(sending: Outbox) -> None:
    email = sent(sending)
    octets = sample(sending, "postfix", email)
    with sending.registry.database.transaction(write=True) as session:
        session.delete(session.get_one(OutboxEmail, email.id))
    assert take_in(sending, octets) == UNMATCHED


@on_sqlite
def test_the_report_is_about_the_emails_recipient_and_not_the_one_it_names(
    sending: Outbox,
) -> None:
    email = sent(sending)
    take_in(sending, sample(sending, "postfix", email, recipient="victim@elsewhere.example"))
    assert suppressed(sending) == [ADDRESS]


# --- What it says ---------------------------------------------------------------


def test_a_report_that_comes_twice_is_written_once(sending: Outbox) -> None:
    octets = sample(sending, "postfix", sent(sending))
    assert take_in(sending, octets) == NEW
    assert take_in(sending, b"Received: by another way\r\n" + octets) == AGAIN


@on_sqlite
def test_a_report_without_a_message_id_is_known_by_its_body(sending: Outbox) -> None:
    octets = sample(sending, "qmail", sent(sending))
    assert take_in(sending, octets) == NEW
    assert take_in(sending, b"Received: by another way\n" + octets) == AGAIN
    crlf = octets.replace(b"\n", b"\r\n")
    assert take_in(sending, crlf) == AGAIN
    assert take_in(sending, octets.replace(b"Sorry", b"Alas")) == NEW


@on_sqlite
def test_reports_with_message_ids_too_long_to_keep_are_told_apart(sending: Outbox) -> None:
    octets = sample(sending, "postfix", sent(sending))
    old = b"<20261122120007.4F2C1A0B3D@mail.shop.example.org>"
    for number, result in ((b"1", NEW), (b"2", NEW), (b"2", AGAIN)):
        body = octets.replace(b"I'm sorry", b"Sorry " + number)
        long = b"<" + b"x" * 250 + number + b"@mail.shop.example.org>"
        assert take_in(sending, body.replace(old, long)) == result


def about_two(octets: bytes, second: str) -> bytes:
    """The report ``postfix_delivered`` with another recipient, who failed, before the ``second``
    one.
    """
    group, first = b"\nFinal-Recipient: ", b"stranger@else.example"
    head, _, tail = octets.partition(group)
    failed = b"rfc822; " + first + b"\nAction: failed\nStatus: 5.1.2\n"
    ours = tail.replace(ADDRESS.encode(), second.encode())
    return head + group + failed + group + ours


@pytest.mark.parametrize(
    ("second", "event"),
    [
        (ADDRESS, Event.DELIVERED),
        (ADDRESS.upper(), Event.DELIVERED),
        (f"<{ADDRESS}>", Event.DELIVERED),
        ("another@else.example", Event.BOUNCED),
    ],
)
@on_sqlite
def test_of_two_recipients_the_emails_own_counts_or_else_one_that_failed(
    sending: Outbox, second: str, event: Event
) -> None:
    octets = about_two(sample(sending, "postfix_delivered", sent(sending)), second)
    assert take_in(sending, octets) == NEW
    assert only_event(sending).event == event


@pytest.mark.parametrize(
    "missing",
    [
        "Reporting-MTA: dns; mail.shop.example.org\n\n",
        "Final-Recipient: rfc822;customer1@example.org\n",
        "Action: failed\n",
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n",
        "Date: Sun, 22 Nov 2026 12:00:09 +0000\n",
        "Message-Id: <E1pXyZa-0001Bc-2D@mail.shop.example.org>\n",
        "Return-path: <>\n",
        "MIME-Version: 1.0\n",
    ],
)
@on_sqlite
def test_a_bounce_in_which_something_is_missing_is_a_bounce(sending: Outbox, missing: str) -> None:
    octets = sample(sending, "exim", sent(sending))
    assert missing.encode() in octets
    assert take_in(sending, octets.replace(missing.encode(), b"", 1)) == NEW
    assert only_event(sending).event == Event.BOUNCED


@pytest.mark.parametrize("action", ["relayed", "expanded", "unheard-of"])
@on_sqlite
def test_what_says_nothing_about_the_end_changes_nothing(sending: Outbox, action: str) -> None:
    octets = sample(sending, "postfix_delivered", sent(sending))
    octets = octets.replace(b"Action: delivered", f"Action: {action}".encode())
    assert take_in(sending, octets) == NOTHING
    assert events(sending) == []


@pytest.mark.parametrize(
    ("status", "diagnostic", "code"),
    [
        ("5.0.0", "smtp; 550 5.1.1 no such user", "5.1.1"),
        ("5.0.0", "smtp; 550 no such user", "5.0.0"),
        ("5.0.0", "550-5.1.10 unknown; see the help", "5.1.10"),
        ("5.0.0", "smtp; 550 #5.1.1 no such user", "5.1.1"),
        ("5.0.0", "smtp; 550 <5.1.1@example.org> is full (5.2.2).", "5.2.2"),
        ("5.0.0", "smtp; 554 host 192.5.1.1 and 5.1.1.9 refuse", "5.0.0"),
        ("5.2.2 (mailbox full)", "smtp; 550 5.1.1 no such user", "5.2.2"),
        ("", "smtp; 550 5.1.1 no such user", "5.1.1"),
        ("no idea", "", None),
        ("5.1.1 \xff\xfe \x00", "smtp; 550 \x00 unbekannt \x80", "5.1.1"),
    ],
)
@on_sqlite
def test_the_code_is_the_status_or_a_more_precise_one_in_the_diagnostic(
    sending: Outbox, status: str, diagnostic: str, code: str | None
) -> None:
    octets = sample(sending, "exim", sent(sending))
    octets = octets.replace(b"Status: 5.0.0", b"Status: " + status.encode("latin-1"))
    octets = octets.replace(
        b"smtp; 550 5.1.1 User unknown", diagnostic.encode("latin-1", "replace")
    )
    assert take_in(sending, octets) == NEW
    assert only_event(sending).code == code


@pytest.mark.parametrize("sender", ["<attacker@evil.example>", "attacker@evil.example"])
def test_a_report_with_a_sender_is_an_answer_and_no_bounce(sending: Outbox, sender: str) -> None:
    email = sent(sending)
    octets = sample(sending, "postfix", email)
    octets = octets.replace(b"Return-Path: <>", f"Return-Path: {sender}".encode())
    assert take_in(sending, octets) == NEW
    assert only_event(sending).event == Event.AUTORESPONDED
    assert sending.row(email).state == State.SENT
    assert suppressed(sending) == []


@on_sqlite
def test_what_a_person_writes_changes_nothing(sending: Outbox) -> None:
    assert take_in(sending, sample(sending, "person", sent(sending))) == NOTHING
    assert events(sending) == []


@pytest.mark.parametrize("kind", ["not-spam", "virus", "auth-failure", "", "unheard-of"])
@on_sqlite
def test_feedback_that_is_no_complaint_changes_nothing(sending: Outbox, kind: str) -> None:
    octets = sample(sending, "feedback", sent(sending))
    octets = octets.replace(b"Feedback-Type: abuse", f"Feedback-Type: {kind}".encode())
    assert take_in(sending, octets) == NOTHING


# --- Bad input ------------------------------------------------------------------


def nested(depth: int, kind: str) -> bytes:
    return b"".join(
        f"Content-Type: {kind}; boundary=b{n}\n\n--b{n}\n".encode() for n in range(depth)
    )


BAD = {
    "nothing": b"",
    "NUL": b"\x00" * 1000,
    "8-bit": bytes(range(256)) * 100,
    "no end of headers": b"Content-Type: multipart/report; boundary=x",
    "no parts": b"Content-Type: multipart/report; boundary=x\n\nnothing\n",
    "no boundary": b"Content-Type: multipart/report\n\n--x\n",
    "an empty status": b"Content-Type: message/delivery-status\n\n",
    "a status of odd groups": b"Content-Type: message/delivery-status\n\n\n\nodd\n\na: b\n",
    "an empty feedback": b"Content-Type: message/feedback-report\n\n",
    "a bad charset": b"Content-Type: text/plain; charset=\xff-8\n\n\xff<a@b.example>: \xff\n",
    "a charset of two": b"Content-Type: text/plain; charset*0=utf; charset*2*=x'y'%ff\n\nx\n",
    "bad base64": b"Content-Transfer-Encoding: base64\n\n\xff=\xff=====\n",
    "a failed recipient without a name": b"X-Failed-Recipients: ,@,\n\n<>:\n",
    "a broken subject": b"Auto-Submitted: auto-replied\nSubject: =?no-such?b?\xff?=\n\n",
    "deep multiparts": nested(5000, "multipart/mixed"),
    "deep messages": b"Content-Type: message/rfc822\n\n" * 5000,
    "deep and long": nested(90, "multipart/mixed") + b"\n" * 600_000,
    "many parts": b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\n\nx\n" * 50_000,
    "a long parameter": b'Content-Type: multipart/report; boundary="' + b";" * 600_000,
    "a long folded parameter": b'Content-Type: a/b; boundary="' + b";;\n ;;" * 90_000,
    "a long line": b"\nfailed addresses follow:\n" + b"a@" * 300_000,
}


@pytest.mark.parametrize("bad", BAD)
@on_sqlite
def test_no_bad_input_is_an_error_or_a_bounce(
    sending: Outbox, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    email = sent(sending)
    to = f"To: bounces+{sending.registry.email_tags.of(email.id)}@shop.example.org\n".encode()
    with caplog.at_level(logging.INFO, logger="app.mail.events"):
        assert take_in(sending, BAD[bad]) == UNMATCHED
        assert "report" in caplog.text
        take_in(sending, to + BAD[bad])
    assert {event.event for event in events(sending)} <= {Event.AUTORESPONDED}
    assert sending.row(email).state == State.SENT
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("bomb", ["deep multiparts", "deep messages", "many parts"])
def test_a_bomb_of_parts_is_not_parsed(bomb: str) -> None:
    with pytest.raises(report_parts.NotReadable, match="more than 100 parts"):
        report_parts.parse(BAD[bomb])


def test_headers_and_lines_are_cut_and_only_the_first_lines_count() -> None:
    folded = report_parts.parse(b"Subject: " + b"x\n " * 90_000)
    assert len(folded["Subject"]) == report_parts.LONGEST_HEADER
    body = b"\n" + b"a" * 2000 + b"\n" + b"b\n" * 50_000
    lines = report_parts.parse(body).get_payload().splitlines()  # type: ignore[union-attr]
    assert len(lines[0]) == report_parts.LONGEST_LINE
    assert len(lines) == report_parts.MOST_LINES - 1


@on_sqlite
def test_an_error_of_the_library_that_reads_messages_leaves_a_report_unmatched(
    sending: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise IndexError("anna@example.org")

    email = sent(sending)
    monkeypatch.setattr(report_meaning, "sayings", fail)
    assert take_in(sending, sample(sending, "postfix", email)) == UNMATCHED
    assert "problem=IndexError" in caplog.text
    assert "@" not in caplog.text


@pytest.mark.parametrize("octet", [b"\x00", b"\xff", b"\xc3", b"\r", b"=?utf-8?b?//8=?="])
def test_odd_octets_in_every_field_are_no_error(sending: Outbox, octet: bytes) -> None:
    email = sent(sending)
    octets = sample(sending, "postfix", email).replace(b": ", b": " + octet)
    assert take_in(sending, octets) in (NEW, UNMATCHED, NOTHING)


@on_sqlite
def test_a_report_that_stops_anywhere_is_no_error(sending: Outbox) -> None:
    email = sent(sending)
    for name in ("postfix", "postfix_utf8", "qmail", "feedback"):
        octets = sample(sending, name, email)
        for end in range(0, len(octets), 97):
            take_in(sending, octets[:end])


@on_sqlite
def test_a_report_of_50_megabytes_is_read_to_its_end_and_its_head_counts(sending: Outbox) -> None:
    email = sent(sending)
    octets = sample(sending, "exim", email)
    stream = io.BytesIO(octets + b"A line of the returned email.\n" * 1_750_000)
    assert len(stream.getvalue()) > 50_000_000
    kept = report_parts.read(stream)
    assert stream.read() == b""
    assert len(kept) == report_parts.LARGEST
    assert take_in(sending, kept) == NEW
    assert sending.row(email).state == State.BOUNCED


@on_sqlite
def test_no_log_line_quotes_a_report(sending: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    email = sent(sending)
    with caplog.at_level(logging.DEBUG):
        for name in ("postfix", "qmail", "vacation", "feedback", "person"):
            take_in(sending, sample(sending, name, email))
            take_in(sending, sample(sending, name, email, tag="x", message_id="<a@evil.example>"))
    assert "@" not in caplog.text
    assert sending.registry.email_tags.of(email.id) not in caplog.text


def test_no_more_of_a_line_is_read_than_is_kept() -> None:
    """The search for addresses in a line takes a time that grows with the square of its length."""
    address = "ada@example.org"
    words = report_meaning._words_about(address, f"{address}:\n" + "x" * 60_000)
    assert len(words) == LONGEST_WORDS
