"""A person cancels, or a newer email supersedes, an email that a worker has leased but not begun.
It does not go out, even if the relay has its envelope already.
"""

from collections.abc import Callable

import pytest

from app.mail.outbox import decisions
from app.mail.outbox.tables import OutboxEmail, State
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.outbox import Outbox, kind
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At
from tests.support.workers import Hire

RESET = kind("reset", supersedes=True, carries_secret=True)
Decide = Callable[[Outbox, OutboxEmail], object]


def cancel(outbox: Outbox, email: OutboxEmail) -> None:
    with outbox.registry.database.transaction(write=True) as session:
        row = session.get_one(OutboxEmail, email.id)
        decisions.cancel(session, row, RESET, by="by a test")


def ask_again(outbox: Outbox, email: OutboxEmail) -> None:
    outbox.write(9, of=RESET, about=email.about, key="reset:9")


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])
@pytest.mark.parametrize("first_phase", [At.MAIL, At.DATA, At.DOT])
@pytest.mark.parametrize(
    ("decide", "state"),
    [(cancel, State.CANCELLED), (ask_again, State.SUPERSEDED)],
    ids=["cancelled", "superseded"],
)
def test_an_email_that_was_leased_but_not_begun_is_not_sent(
    make_app: MakeApp,
    settings_values: dict[str, str],
    certificate: Certificate,
    hire: Hire,
    decide: Decide,
    state: State,
    first_phase: At,
    pipelining: bool,
) -> None:
    decided: list[OutboxEmail] = []

    def decide_once(phase: At) -> None:
        # The first email is on its way at this moment.
        if phase is first_phase and not decided:
            decided.append(second)
            decide(outbox, second)

    relay = ScriptedSMTP(certificate, before=decide_once, pipelining=pipelining)
    with relay:
        app = make_app(settings_values | through(relay))
        outbox = Outbox(app.registry)
        first, second, third = (outbox.write(number, of=RESET) for number in (1, 2, 3))
        hire(app).run_once()
    assert [outbox.row(email).state for email in (first, second, third)] == ["sent", state, "sent"]
    assert second.message_id not in relay.received
    assert not outbox.row(second).has_body
    assert outbox.row(second).leased_by is None
    assert relay.violations == []


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])
def test_an_email_whose_body_is_on_its_way_can_no_longer_be_stopped(
    make_app: MakeApp,
    settings_values: dict[str, str],
    certificate: Certificate,
    hire: Hire,
    pipelining: bool,
) -> None:
    refusals: list[str] = []

    def try_to_stop_it(phase: At) -> None:
        if phase is At.DOT:
            try:
                cancel(outbox, email)
            except decisions.Refused as refusal:
                refusals.append(str(refusal))

    relay = ScriptedSMTP(certificate, before=try_to_stop_it, pipelining=pipelining)
    with relay:
        app = make_app(settings_values | through(relay))
        outbox = Outbox(app.registry)
        email = outbox.write(1, of=RESET)
        hire(app).run_once()
    assert refusals == [
        f"Email {email.id} is sending; only one that is queued or unknown can be cancelled."
    ]
    assert outbox.row(email).state == "sent"
