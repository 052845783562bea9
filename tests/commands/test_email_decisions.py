"""``pillarbox emails INI resend|release|cancel`` about several emails: by ids, and by filters."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.accounts.email_kinds import WELCOME
from app.database.clock import utc_clock
from app.mail.outbox import many
from app.mail.outbox.tables import OutboxEmail, State
from app.shop.models import Order
from app.staff.models import StaffAction
from tests.support.outbox import Outbox, put
from tests.support.paid_orders import paid_order
from tests.support.pillarbox_command import Pillarbox

QUOTA = "550 5.4.5 Daily quota reached"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches for few emails."""
    monkeypatch.setattr(many, "BATCH", 2)


def failed(outbox: Outbox, count: int, **values: object) -> list[OutboxEmail]:
    """So many failed emails."""
    emails = [outbox.write(number, of=WELCOME) for number in range(count)]
    return [put(outbox, email, State.FAILED, **{"reason": QUOTA} | values) for email in emails]


def states(outbox: Outbox, emails: list[OutboxEmail]) -> Counter[str]:
    return Counter(outbox.row(email).state for email in emails)


def actions(outbox: Outbox) -> list[StaffAction]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(session.scalars(select(StaffAction).order_by(StaffAction.id)))


def test_all_that_failed_since_a_time_is_sent_again(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    emails = failed(outbox, 5)
    old = put(outbox, outbox.write(7), State.FAILED, created_at=utc_clock() - timedelta(hours=3))
    ran = pillarbox("emails", ini, "resend", "--state", "failed", "--since", "2h", "--yes")
    found, done = ran.stdout.splitlines()
    assert found.startswith("5 emails (5 failed). The oldest was written 2")
    assert found.endswith(" (UTC).")
    assert done == "5 emails are queued."
    assert states(outbox, emails) == {"queued": 5}
    assert outbox.row(old).state == "failed"
    (action,) = actions(outbox)
    assert (action.action, action.done, action.refused, action.staff_id) == ("resend", 5, 0, None)
    assert action.target.startswith("emails: state=failed, since=2")
    assert action.detail == "pillarbox emails"


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (("--reason", "550 5.4.5"), [2, 3]),
        (("--reason", "550 5.4.5", "--kind", "welcome"), [3]),
        (("--kind", "note"), [1, 2]),
        (("--to", "CUSTOMER1@example.org"), [1]),
        (("--until", "1h"), [1]),
        (("--since", "1h"), [2, 3]),
    ],
)
def test_each_filter_narrows_what_is_listed_and_sent(
    pillarbox: Pillarbox,
    ini: Path,
    outbox: Outbox,
    filters: tuple[str, ...],
    numbers: list[int],
) -> None:
    long_ago = utc_clock() - timedelta(hours=2)
    put(outbox, outbox.write(1), State.CANCELLED, reason="451", created_at=long_ago)
    put(outbox, outbox.write(2), State.CANCELLED, reason=QUOTA)
    put(outbox, outbox.write(3, of=WELCOME), State.CANCELLED, reason=QUOTA.lower())
    lines = pillarbox("emails", ini, "list", *filters).stdout.splitlines()
    assert sorted(line.split()[0] for line in lines[1:]) == [str(number) for number in numbers]
    pillarbox("emails", ini, "cancel", *filters, "--yes")
    assert actions(outbox)[0].refused == len(numbers)


def test_what_was_refused_is_listed_by_reason_with_some_ids(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    emails = failed(outbox, 7, html_body=None, text_body=None)
    put(outbox, outbox.write(8, of=WELCOME), State.SENT)
    ran = pillarbox("emails", ini, "resend", "--kind", "welcome", "--yes")
    found, again, done, refused = ran.stdout.splitlines()
    assert found.startswith("8 emails (7 failed, 1 sent). The oldest was written ")
    assert again == "1 of them were sent before. They go out once more, as new emails."
    assert done == "1 email is queued."
    assert refused == (
        "Refused: 7 emails, because their bodies are erased (ID 7, 6, 5, 4, 3, ...)."
    )
    assert states(outbox, emails) == {"failed": 7}


def test_releasing_and_cancelling_by_filter(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    held = [put(outbox, outbox.write(number, of=WELCOME), State.UNKNOWN) for number in range(3)]
    ran = pillarbox("emails", ini, "release", "--state", "unknown", "--yes")
    assert ran.stdout.splitlines()[-1] == "3 emails are queued."
    assert states(outbox, held) == {"queued": 3}
    ran = pillarbox("emails", ini, "cancel", "--state", "queued", "--yes")
    assert ran.stdout.splitlines()[-1] == "3 emails are cancelled."
    assert outbox.row(held[0]).reason == "cancelled by pillarbox emails"


def test_a_message_id_and_an_order_choose_what_is_sent_again_and_the_row_says_so(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    first, second = failed(outbox, 2)
    pillarbox("emails", ini, "resend", "--message-id", first.message_id, "--yes")
    assert (states(outbox, [first]), states(outbox, [second])) == ({"queued": 1}, {"failed": 1})
    number = paid_order(outbox.registry)
    pillarbox("emails", ini, "cancel", "--order", number, "--yes")
    with outbox.registry.database.transaction(write=False) as session:
        order_id = session.scalars(select(Order.id)).one()
    assert [action.target for action in actions(outbox)] == [
        f"emails: message-id={first.message_id}",
        f"emails: about=order:{order_id}",
    ]


def test_when_no_counted_email_fits_the_command_says_that_older_ones_may(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = put(outbox, outbox.write(0), State.FAILED, reason=QUOTA)
    for number in range(1, 4):
        put(outbox, outbox.write(number), State.FAILED, reason="550 no")
    monkeypatch.setattr("app.mail.outbox.many._MOST_STEPS", 1)
    monkeypatch.setattr("app.mail.outbox.search.STEP", 1)
    said = pillarbox("emails", ini, "cancel", "--reason", QUOTA, code=2).output
    assert "None of the newest emails fits. Older ones may; they were not counted." in said
    assert outbox.row(oldest).state == "failed"


def test_nothing_found_is_said(pillarbox: Pillarbox, ini: Path, outbox: Outbox) -> None:
    ran = pillarbox("emails", ini, "resend", "--state", "failed")
    assert ran.stdout == "No emails found.\n"
    assert not actions(outbox)


def test_without_a_terminal_yes_is_needed(pillarbox: Pillarbox, ini: Path, outbox: Outbox) -> None:
    emails = failed(outbox, 1)
    ran = pillarbox("emails", ini, "resend", "--state", "failed", code=2)
    assert "This is not a terminal, so the command cannot ask. Add --yes" in ran.output
    assert states(outbox, emails) == {"failed": 1}


def test_on_a_terminal_the_command_asks_and_shows_progress(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails = failed(outbox, 3)
    monkeypatch.setattr("app.commands.email_decisions.is_terminal", lambda stream: True)
    command = ("emails", ini, "resend", "--state", "failed")
    ran = pillarbox(*command, code=1, typed="n\n")
    assert "3 emails (3 failed)" in ran.stdout
    assert "Resend them? [y/N]" in ran.stdout
    assert states(outbox, emails) == {"failed": 3}
    ran = pillarbox(*command, typed="y\n")
    assert ran.stderr == "\r2 emails queued\r3 emails queued\n"
    assert states(outbox, emails) == {"queued": 3}


@pytest.mark.parametrize("command", ["resend", "release", "cancel"])
@pytest.mark.parametrize("what", [(), ("1", "--state", "failed")])
def test_ids_and_filters_exclude_each_other_and_one_of_them_is_needed(
    pillarbox: Pillarbox, ini: Path, command: str, what: tuple[str, ...]
) -> None:
    output = pillarbox("emails", ini, command, *what, code=2).output
    assert f"`{command} 12 13`" in output
    assert f"`{command} --state failed --since 12:00`" in output


@pytest.mark.parametrize(
    "filters", [("--since", "noon"), ("--until", "2026-13-01"), ("--state", "lost")]
)
def test_a_filter_that_cannot_be_read_is_a_mistake_of_usage(
    pillarbox: Pillarbox, ini: Path, filters: tuple[str, ...]
) -> None:
    assert filters[1] in pillarbox("emails", ini, "list", *filters, code=2).output


def test_a_time_beyond_the_calendar_is_a_mistake_of_usage(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    output = pillarbox("emails", ini, "list", "--since", "999999d", code=2).output
    assert "no calendar holds this time" in output


def test_several_ids_are_decided_one_by_one_and_each_is_kept(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    first, second = failed(outbox, 2)
    queued = outbox.write(9, of=WELCOME)
    ran = pillarbox("emails", ini, "resend", first.id, queued.id, 999, second.id, code=1)
    assert ran.stdout.splitlines() == [
        f"Email {first.id} (welcome) is queued.",
        f"Email {second.id} (welcome) is queued.",
    ]
    assert ran.stderr.splitlines() == [
        f"Error: Email {queued.id} is in the queue and goes out by itself.",
        "Error: There is no email 999.",
    ]
    assert states(outbox, [first, second]) == {"queued": 2}
    kept = [(action.action, action.target, action.detail) for action in actions(outbox)]
    assert kept == [
        ("resend", f"email:{first.id}", "pillarbox emails"),
        ("resend", f"email:{second.id}", "pillarbox emails"),
    ]


def test_the_reason_is_in_the_list(pillarbox: Pillarbox, ini: Path, outbox: Outbox) -> None:
    failed(outbox, 1, reason=f"{QUOTA} {'and more ' * 20}")
    line = pillarbox("emails", ini, "list").stdout.splitlines()[1]
    assert QUOTA in line
    assert len(line) < 150
