"""A relay that fails at every phase in every way, with three emails in the queue.

In the end every email has arrived unless the relay refused it with 5xx. None has arrived twice
unless it was in doubt. Every row says what happened to its email.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.mail import InDoubt
from app.mail.outbox.tables import State
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import DROP, GARBAGE, SLOW, STALL, At, Fault
from tests.support.workers import impatient

LATER, NEVER, CLOSING = "451 4.3.0 later", "554 5.7.1 never", "421 4.3.2 closing"
REPLIES = [LATER, NEVER, CLOSING]
SILENCES = [STALL, DROP, GARBAGE]
LARGE = "A line of a large letter.\n" * 15_000
"""More than the operating system keeps for a relay that does not read."""
Apps = MakeApp


@dataclass(frozen=True)
class End:
    """How an email ended: its state, the attempts that counted, and how often it arrived."""

    state: str = "sent"
    attempts: int = 0
    arrivals: int = 1


WAYS = {
    "sqlite-pipelining": ("sqlite", True),
    "postgresql-pipelining": ("postgresql", True),
    "sqlite-plain": ("sqlite", False),
}


def ways(ways: dict[str, tuple[str, bool]]) -> pytest.MarkDecorator:
    """Parameters: the database, and whether the relay offers PIPELINING."""
    return pytest.mark.parametrize(
        ("database_url", "pipelining"), ways.values(), ids=ways, indirect=True
    )


before_any_email = ways({"sqlite-pipelining": ("sqlite", True)})
"""Before the first email, neither PIPELINING nor the database makes a difference."""
within_an_email = ways(WAYS)


@pytest.fixture
def pipelining(request: pytest.FixtureRequest) -> bool:
    """Whether the relay offers PIPELINING."""
    return bool(request.param)


Play = Callable[..., list[End]]


@pytest.fixture
def play(
    make_app: Apps,
    settings_values: dict[str, str],
    certificate: Certificate,
    clock: Clock,
    pipelining: bool,
) -> Play:
    """Deliver three emails to a relay with a fault, six times, two minutes apart.
    Returns how each email ended.
    """

    def play(*faults: Fault, in_doubt: InDoubt = InDoubt.RESEND) -> list[End]:
        phases = {fault.at for fault in faults}
        # Where the relay falls silent, the test waits as long as the worker does, so that is short.
        silent = any(
            fault.how == STALL or (fault.how == GARBAGE and fault.at in (At.TLS, At.BODY))
            for fault in faults
        )
        with ScriptedSMTP(certificate, faults, pipelining=pipelining) as relay:
            registry = make_app(settings_values | through(relay)).registry
            outbox = Outbox(registry)
            emails = [
                outbox.write(
                    number,
                    of=kind(in_doubt=in_doubt),
                    text=LARGE if At.BODY in phases and number == 2 else "Hello\n",
                )
                for number in (1, 2, 3)
            ]
            worker = impatient(registry, 0.4 if silent else 10)
            for _ in range(6):
                worker.run_once()
                assert State.SENDING not in {outbox.row(email).state for email in emails}
                clock.advance(timedelta(minutes=2))
            worker.stop()
            rows = [outbox.row(email) for email in emails]
        assert relay.violations == []
        arrived = Counter(relay.received)
        assert set(arrived) <= {row.message_id for row in rows}
        return [End(row.state, row.attempts, arrived[row.message_id]) for row in rows]

    return play


def faults(*phases: At, how: list[str], **more: Any) -> list[Fault]:
    """Each way in ``how`` to fail, at every phase."""
    return [Fault(at, way, **more) for at in phases for way in how]


def named(value: object) -> str:
    if not isinstance(value, Fault):
        return str(value)
    how = value.how.partition(" ")[0]
    return f"{value.at}-{value.time}-{how}{'-taken' if value.taken else ''}"


def others_untouched(ends: list[End], number: int) -> End:
    """How the email with that number ended. Asserts that the others were sent as usual."""
    end = ends.pop(number - 1)
    assert ends == [End(), End()]
    return end


@before_any_email
@pytest.mark.parametrize(
    "fault",
    [
        *faults(At.BANNER, At.EHLO, At.STARTTLS, At.AUTH, how=REPLIES + SILENCES),
        *faults(At.EHLO, how=REPLIES + SILENCES, time=2),
        *faults(At.TLS, how=SILENCES),
    ],
    ids=named,
)
def test_a_fault_before_any_email_delays_them_and_uses_up_no_attempt(
    play: Play, fault: Fault
) -> None:
    assert play(fault) == [End(), End(), End()]


@within_an_email
@pytest.mark.parametrize(
    "fault", faults(At.MAIL, At.RCPT, At.DATA, At.BODY, At.DOT, how=[LATER], time=2), ids=named
)
def test_a_4xx_is_tried_again(play: Play, fault: Fault) -> None:
    assert others_untouched(play(fault), 2) == End(attempts=1)


@within_an_email
@pytest.mark.parametrize("fault", faults(At.MAIL, how=[NEVER], time=2), ids=named)
def test_a_5xx_to_mail_is_about_us_so_the_relay_rests_and_no_email_fails(
    play: Play, fault: Fault
) -> None:
    assert play(fault) == [End(), End(), End()]


@within_an_email
@pytest.mark.parametrize(
    "fault", faults(At.RCPT, At.DATA, At.BODY, At.DOT, how=[NEVER], time=2), ids=named
)
def test_a_5xx_is_failed_and_never_tried_again(play: Play, fault: Fault) -> None:
    assert others_untouched(play(fault), 2) == End("failed", attempts=0, arrivals=0)


@within_an_email
@pytest.mark.parametrize(
    "fault", faults(At.MAIL, At.RCPT, At.DATA, At.BODY, At.DOT, how=[CLOSING], time=2), ids=named
)
def test_a_421_makes_the_relay_rest_and_uses_up_no_attempt(play: Play, fault: Fault) -> None:
    assert play(fault) == [End(), End(), End()]


@within_an_email
@pytest.mark.parametrize("fault", faults(At.RSET, how=REPLIES + SILENCES), ids=named)
def test_a_fault_at_the_reset_after_a_refusal_changes_nothing_about_it(
    play: Play, fault: Fault
) -> None:
    ends = play(Fault(At.RCPT, NEVER, time=2), fault)
    assert others_untouched(ends, 2) == End("failed", attempts=0, arrivals=0)


@within_an_email
@pytest.mark.parametrize("fault", faults(At.MAIL, At.RCPT, At.DATA, how=SILENCES), ids=named)
def test_a_new_connection_lost_before_the_body_counts_against_the_email(
    play: Play, fault: Fault
) -> None:
    assert others_untouched(play(fault), 1) == End(attempts=1)


@within_an_email
@pytest.mark.parametrize(
    "fault", faults(At.MAIL, At.RCPT, At.DATA, how=SILENCES, time=2), ids=named
)
def test_a_kept_connection_lost_before_the_body_counts_against_nobody(
    play: Play, fault: Fault
) -> None:
    assert play(fault) == [End(), End(), End()]


@within_an_email
@pytest.mark.parametrize("fault", faults(At.BODY, how=SILENCES, time=2), ids=named)
def test_a_connection_lost_within_the_body_is_not_in_doubt(play: Play, fault: Fault) -> None:
    assert others_untouched(play(fault, in_doubt=InDoubt.HOLD), 2) == End(attempts=1)


@within_an_email
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not-taken"])
@pytest.mark.parametrize("how", SILENCES)
def test_in_doubt_an_email_is_sent_again_with_the_same_message_id(
    play: Play, how: str, taken: bool
) -> None:
    end = others_untouched(play(Fault(At.DOT, how, time=2, taken=taken)), 2)
    assert end == End(attempts=1, arrivals=2 if taken else 1)


@within_an_email
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not-taken"])
@pytest.mark.parametrize("how", SILENCES)
def test_in_doubt_an_email_to_hold_stays_unknown_and_is_not_sent_again(
    play: Play, how: str, taken: bool
) -> None:
    end = others_untouched(play(Fault(At.DOT, how, taken=taken), in_doubt=InDoubt.HOLD), 1)
    assert end == End("unknown", attempts=0, arrivals=1 if taken else 0)


@before_any_email
@pytest.mark.parametrize("fault", faults(At.QUIT, how=REPLIES + SILENCES), ids=named)
def test_a_fault_at_the_goodbye_changes_nothing(play: Play, fault: Fault) -> None:
    assert play(fault) == [End(), End(), End()]


@within_an_email
def test_a_relay_that_answers_one_octet_at_a_time_gets_everything(play: Play) -> None:
    slow = [Fault(at, SLOW) for at in At if at is not At.TLS and at is not At.BODY]
    assert play(*slow) == [End(), End(), End()]


@before_any_email
def test_a_relay_that_fails_at_every_step_in_turn_gets_everything(play: Play) -> None:
    one_after_the_other = [
        Fault(at, DROP, connection=number)
        for number, at in enumerate((At.BANNER, At.EHLO, At.STARTTLS, At.AUTH), start=1)
    ]
    assert play(*one_after_the_other) == [End(), End(), End()]


@within_an_email
def test_a_relay_whose_replies_are_out_of_step_has_taken_nothing(play: Play) -> None:
    assert play(Fault(At.DATA, "250 2.0.0 fine")) == [End(attempts=1), End(), End()]
