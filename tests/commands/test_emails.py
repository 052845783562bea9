"""``pillarbox emails``: the delivery log in the terminal."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.accounts.email_kinds import PASSWORD_RESET, WELCOME
from app.database import sqlite
from app.database.clock import utc_clock
from app.mail.delivery.relay import Relay
from app.mail.delivery.relay import name_of as relay_name
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.test_message import TEST_MESSAGE
from app.shop.order_numbers import new_order_number
from tests.mail.events.test_hearing import about, tell
from tests.support.databases import on_sqlite
from tests.support.outbox import RECEIPT, Outbox, attachments, put
from tests.support.paid_orders import paid_order
from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import write_ini

WRITING = [("resend", 1), ("release", 1), ("cancel", 1), ("purge",)]


def test_the_list_is_a_table_with_the_newest_first(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    outbox.write(1, of=PASSWORD_RESET, address="ada@example.org")
    outbox.write(2, of=WELCOME, address="bob@example.org")
    lines = pillarbox("emails", ini, "list").output.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "2", "1"]
    columns = {(line.index("ada@" if "ada" in line else "bob@")) for line in lines[1:]}
    assert columns == {lines[0].index("TO")}
    assert "password_reset  queued" in lines[2]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), ["3", "2", "1"]),
        (("--state", "sent"), ["1"]),
        (("--kind", "welcome"), ["3", "2"]),
        (("--to", "ADA@example.org"), ["2", "1"]),
        (("--kind", "welcome", "--to", "ada@example.org"), ["2"]),
        (("--limit", "1"), ["3"]),
        (("--kind", "unheard_of"), []),
    ],
)
def test_the_list_is_filtered(
    pillarbox: Pillarbox,
    ini: Path,
    outbox: Outbox,
    filters: tuple[str, ...],
    expected: list[str],
) -> None:
    put(outbox, outbox.write(1, of=PASSWORD_RESET, address="Ada@example.org"), State.SENT)
    outbox.write(2, of=WELCOME, address="ada@example.org")
    outbox.write(3, of=WELCOME, address="bob@example.org")
    lines = pillarbox("emails", ini, "list", *filters).output.splitlines()
    assert [line.split()[0] for line in lines[1:]] == expected
    assert expected or lines == ["No emails found."]


def test_a_relay_that_rests_is_reported_with_the_time_at_which_the_email_goes_on(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    email = outbox.write(1, of=WELCOME)
    until = utc_clock() + timedelta(seconds=50)
    name = relay_name(outbox.registry.pillarbox.email)
    with outbox.registry.database.transaction(write=True) as session:
        session.add(Relay(name=name, blocked_until=until, reason="auth: 535 no", failures=3))
    listed = pillarbox("emails", ini, "list").output.splitlines()
    assert listed[-1] == f"The relay {name} rests until {until:%Y-%m-%d %H:%M:%S}: auth: 535 no"
    shown = pillarbox("emails", ini, "show", email.id).output
    assert f"next try    {until:%Y-%m-%d %H:%M:%S}" in shown


def test_an_email_is_shown_with_its_attempts_in_the_relays_words(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    email = outbox.write(1, of=WELCOME, attachments=(RECEIPT,), name="Ada")
    with outbox.registry.database.transaction(write=True) as session:
        for outcome, reply in (("deferred", "451 4.7.1 greylisted"), ("accepted", "250 taken")):
            session.add(
                EmailAttempt(
                    email_id=email.id,
                    at=utc_clock(),
                    outcome=outcome,
                    phase="rcpt",
                    code=int(reply[:3]),
                    reply=reply,
                    duration_ms=35,
                )
            )
    output = pillarbox("emails", ini, "show", email.id).output
    for words in (
        "welcome",
        "queued",
        "Ada <customer1@example.org>",
        "Note 1 for you",
        email.message_id,
        "receipt.pdf (8 octets)",
        "deferred at rcpt after 35 ms: 451 4.7.1 greylisted",
        "accepted at rcpt after 35 ms: 250 taken",
    ):
        assert words in output
    assert "Hello 1" not in output
    assert "Hello 1" in pillarbox("emails", ini, "show", email.id, "--body").output


def attempt(outbox: Outbox, email: OutboxEmail, at: datetime, outcome: str, reply: str) -> None:
    """Write an attempt, as delivery does."""
    with outbox.registry.database.transaction(write=True) as session:
        session.add(
            EmailAttempt(
                email_id=email.id,
                at=at,
                outcome=outcome,
                phase="verdict",
                code=int(reply[:3]),
                reply=reply,
                duration_ms=35,
            )
        )


def test_an_email_is_shown_with_its_events_among_the_attempts_in_the_order_of_time(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    start = utc_clock() - timedelta(hours=1)
    email = put(outbox, outbox.write(1, of=WELCOME), State.SENT, created_at=start, sent_at=start)
    times = [start + timedelta(minutes=minute) for minute in range(5)]
    for event, at, details in (
        (Event.DELIVERED, times[3], {"code": "2.0.0", "words": "250 taken\x1b[2J"}),
        (Event.DEFERRED, times[1], {"code": "4.7.1", "words": "451 4.7.1 greylisted"}),
        (Event.AUTORESPONDED, times[4], {}),
    ):
        tell(outbox, about(outbox, email, event, at=at, **details))
    attempt(outbox, email, times[2], "accepted", "250 queued again")
    attempt(outbox, email, times[0], "accepted", "250 queued as A1")
    lines = pillarbox("emails", ini, "show", email.id).output.splitlines()
    assert [line for line in lines if line.startswith("  delivered ")] == [
        f"  delivered   {times[3]:%Y-%m-%d %H:%M:%S}"
    ]
    assert lines[-5:] == [
        f"  {at:%Y-%m-%d %H:%M:%S}  {what}"
        for at, what in zip(
            times,
            (
                "accepted at verdict after 35 ms: 250 queued as A1",
                "deferred (postmark): 451 4.7.1 greylisted",
                "accepted at verdict after 35 ms: 250 queued again",
                "delivered (postmark): 2.0.0 250 taken [2J",
                "autoresponded (postmark)",
            ),
            strict=True,
        )
    ]


def test_the_list_shows_the_last_words_in_a_short_line(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    now = utc_clock()
    for number in range(5):
        put(outbox, outbox.write(number, of=WELCOME), State.SENT, reason=None, sent_at=now)
    silent, tried, heard, failed, long = (OutboxEmail(id=id) for id in range(1, 6))
    for email in (tried, heard, failed):
        attempt(outbox, email, now, "deferred", "451 greylisted")
        attempt(outbox, email, now, "accepted", "250 queued as A1")
    for email in (heard, failed):
        tell(outbox, about(outbox, email, Event.DEFERRED, words="it is on its way"))
        tell(outbox, about(outbox, email, Event.DELIVERED, code="2.0.0", words="it has arrived"))
    put(outbox, failed, State.FAILED, reason="550 5.1.1\nno such user")
    put(outbox, long, State.FAILED, reason="no " * 500)
    header, *rows = pillarbox("emails", ini, "list").stdout.splitlines()
    start = header.index("LAST WORDS")
    assert [row[start:] for row in rows] == [
        "no " * 19 + "no…",
        "550 5.1.1 no such user",
        "2.0.0 it has arrived",
        "250 queued as A1",
        "",
    ]
    assert str(silent.id) == rows[-1].split()[0]


def test_the_list_finds_an_email_by_its_message_id(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    first, _ = outbox.write(1, of=WELCOME), outbox.write(2, of=WELCOME)
    for typed in (first.message_id, first.message_id.strip("<>")):
        _, *rows = pillarbox("emails", ini, "list", "--message-id", typed).stdout.splitlines()
        assert [row.split()[0] for row in rows] == [str(first.id)]
    unknown = pillarbox("emails", ini, "list", "--message-id", "<unknown@example.org>").stdout
    assert unknown == "No emails found.\n"


def test_the_list_finds_the_emails_about_an_order(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    number = paid_order(outbox.registry)
    outbox.write(1, of=WELCOME)
    typed = number.lower().replace("-", "")
    _, *rows = pillarbox("emails", ini, "list", "--order", typed).stdout.splitlines()
    assert [row.split()[3] for row in rows] == ["purchase_receipt"]


@on_sqlite
@pytest.mark.parametrize("command", ["list", "resend", "release", "cancel"])
def test_an_order_that_is_not_there_is_named(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, command: str
) -> None:
    number = new_order_number()
    said = pillarbox("emails", ini, command, "--order", number, code=1).output
    assert said == f"Error: There is no order {number}.\n"
    assert "--order" in pillarbox("emails", ini, command, "--order", "7", code=2).output


def test_a_body_with_a_secret_is_never_shown(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    known = outbox.write(1, of=PASSWORD_RESET)
    forgotten = put(outbox, outbox.write(2, of=WELCOME), State.QUEUED, kind="forgotten")
    for email in (known, forgotten):
        output = pillarbox("emails", ini, "show", email.id, "--body").output
        assert "carries a secret and is not printed" in output
        assert "Hello" not in output


def test_control_characters_do_not_reach_the_terminal(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    email = outbox.write(1, of=WELCOME, name="Ada\x1b]0;owned\x07", text="\x1b[2Jgone")
    assert "\x1b" not in pillarbox("emails", ini, "show", email.id, "--body").output


def test_the_spaces_of_dates_and_amounts_are_printed_as_spaces(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    email = outbox.write(1, of=WELCOME, text="9:29\N{NARROW NO-BREAK SPACE}PM, 24\xa0€\n")
    output = pillarbox("emails", ini, "show", email.id, "--body").output
    assert "9:29 PM, 24 €" in output
    assert "\N{REPLACEMENT CHARACTER}" not in output


def test_only_what_is_queued_has_a_next_try(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    email = outbox.write(1, of=WELCOME)
    assert "next try" in pillarbox("emails", ini, "show", email.id).output
    put(outbox, email, State.SENT)
    with outbox.registry.database.transaction(write=True) as session:
        session.get_one(OutboxEmail, email.id).next_attempt_at = utc_clock()
    assert "next try" not in pillarbox("emails", ini, "show", email.id).output


def test_resending_queues_what_failed_and_copies_what_was_sent(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    failed = put(outbox, outbox.write(1, of=WELCOME), State.FAILED)
    sent = put(outbox, outbox.write(2, of=WELCOME), State.SENT)
    again = pillarbox("emails", ini, "resend", failed.id).stdout
    assert again == f"Email {failed.id} (welcome) is queued.\n"
    assert outbox.row(failed).state == "queued"
    assert outbox.row(failed).message_id == failed.message_id
    copied = pillarbox("emails", ini, "resend", sent.id).stdout
    assert copied == f"Email {sent.id} (welcome) is queued as {sent.id + 1}.\n"
    assert f"{sent.key}#2" in pillarbox("emails", ini, "show", sent.id + 1).output


def test_an_erased_email_is_not_resent_and_the_command_says_what_to_do(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    erased = {"html_body": None, "text_body": None}
    email = put(outbox, outbox.write(1, of=PASSWORD_RESET), State.SENT, **erased)
    assert "request a new one" in pillarbox("emails", ini, "resend", email.id, code=1).output


def test_cancelling_and_releasing(pillarbox: Pillarbox, ini: Path, outbox: Outbox) -> None:
    email = outbox.write(1, of=TEST_MESSAGE)
    pillarbox("emails", ini, "release", email.id, code=1)
    put(outbox, email, State.UNKNOWN)
    pillarbox("emails", ini, "release", email.id)
    assert outbox.row(email).state == "queued"
    pillarbox("emails", ini, "cancel", email.id)
    assert outbox.row(email).state == "cancelled"
    assert "is cancelled" in pillarbox("emails", ini, "cancel", email.id, code=1).output


@pytest.mark.parametrize(
    ("command", "state", "words"),
    [
        ("resend", State.QUEUED, "is in the queue and goes out by itself"),
        ("resend", State.SENDING, "is being sent just now"),
        *(
            ("release", state, f"is {state}; only one that is unknown is held")
            for state in (State.QUEUED, State.SENDING, State.SENT, State.FAILED, State.CANCELLED)
        ),
        *(
            ("cancel", state, f"is {state}; only one that is queued or unknown can be cancelled")
            for state in (State.SENDING, State.SENT, State.FAILED, State.CAPTURED)
        ),
    ],
)
def test_an_email_in_another_state_stays_as_it_is_and_the_command_says_why(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, command: str, state: State, words: str
) -> None:
    email = put(outbox, outbox.write(1, of=WELCOME), state)
    before = outbox.row(email).reason
    lines = pillarbox("emails", ini, command, email.id, code=1).output.splitlines()
    assert lines == [f"Error: Email {email.id} {words}."]
    assert (outbox.row(email).state, outbox.row(email).reason) == (state, before)


@pytest.mark.parametrize("command", ["resend", "release"])
def test_an_email_whose_body_was_erased_is_not_sent_again(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, command: str
) -> None:
    erased = {"html_body": None, "text_body": None}
    email = put(outbox, outbox.write(1, of=WELCOME), State.UNKNOWN, **erased)
    output = pillarbox("emails", ini, command, email.id, code=1).output
    assert f"Email {email.id} has no body to send." in output
    assert "email.retention_days" in output
    assert outbox.row(email).state == State.UNKNOWN


@pytest.mark.parametrize("id", [0, -1, 2**31, "abc", "1.5"])
@pytest.mark.parametrize("command", ["show", "resend", "release", "cancel"])
def test_what_is_no_id_is_a_mistake_of_usage(
    pillarbox: Pillarbox, ini: Path, command: str, id: object
) -> None:
    assert "ID" in pillarbox("emails", ini, command, "--", id, code=2).output


@on_sqlite
@pytest.mark.parametrize("command", WRITING, ids=lambda command: command[0])
def test_a_database_that_another_program_holds_is_reported_in_a_line(
    pillarbox: Pillarbox,
    ini: Path,
    outbox: Outbox,
    command: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(outbox, outbox.write(1, of=WELCOME), State.UNKNOWN)
    pillarbox("adopt", ini)
    monkeypatch.setattr(sqlite, "SQLITE_BUSY_SECONDS", 0.1)
    path = str(outbox.registry.database.engine.url.database)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        output = pillarbox("emails", ini, *command, code=1).output
    assert "Another program holds the database" in output


def test_purging_says_how_many_bodies_it_erased(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    long_ago = utc_clock() - timedelta(days=31)
    for number in range(3):
        email = outbox.write(number, of=WELCOME, attachments=(RECEIPT,))
        put(outbox, email, State.SENT, created_at=long_ago)
    outbox.write(4, of=WELCOME)
    output = pillarbox("emails", ini, "purge").stdout
    assert output == "The bodies of 3 emails older than 30 days were erased.\n"
    assert attachments(outbox) == 0
    assert pillarbox("emails", ini, "purge").stdout.startswith("The bodies of 0 emails")


@pytest.mark.parametrize("command", ["show", "resend", "release", "cancel"])
def test_an_email_that_is_not_there_is_named(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, command: str
) -> None:
    assert "There is no email 7." in pillarbox("emails", ini, command, 7, code=1).output


@pytest.mark.parametrize("command", WRITING, ids=lambda command: command[0])
def test_what_writes_refuses_another_sites_database_and_looking_does_not(
    pillarbox: Pillarbox,
    tmp_path: Path,
    sending_values: dict[str, str],
    outbox: Outbox,
    ini: Path,
    command: tuple[object, ...],
) -> None:
    email = outbox.write(1, of=WELCOME)
    pillarbox("adopt", ini)
    elsewhere = write_ini(
        tmp_path / "elsewhere.ini", sending_values | {"site.base_url": "http://other.example"}
    )
    output = pillarbox("emails", elsewhere, *command, code=1).output
    assert "localhost" in output
    assert "other.example" in output
    assert outbox.row(email).state == "queued"
    assert "welcome" in pillarbox("emails", elsewhere, "list").output
    assert "welcome" in pillarbox("emails", elsewhere, "show", email.id).output


@pytest.mark.parametrize("command", [("list",), ("show", 1), *WRITING], ids=lambda c: c[0])
def test_a_database_that_is_not_migrated_is_named(
    pillarbox: Pillarbox,
    ini: Path,
    outbox: Outbox,
    command: tuple[object, ...],
    unmigrated: Callable[[], None],
) -> None:
    unmigrated()
    output = pillarbox("emails", ini, *command, code=1).output
    assert f"pillarbox migrate {ini}" in output
