"""The meaning of a relay's reply: one line for each reply."""

import pytest

from app.mail.smtp.replies import Outcome, Phase, Reply, verdict_of


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("250 2.0.0 queued as 4F2", Outcome.ACCEPTED),
        ("354 go on", Outcome.IN_DOUBT),
        ("421 4.3.2 closing", Outcome.SLOWED),
        ("450 4.7.1 Too many messages", Outcome.SLOWED),
        ("451 Rate limit exceeded, slow down", Outcome.SLOWED),
        ("452 4.5.3 too many recipients", Outcome.DEFERRED),
        ("450 4.2.1 the user is receiving mail at a rate that is too high", Outcome.DEFERRED),
        ("451 4.7.650 greylisted", Outcome.DEFERRED),
        ("550 5.7.1 too many messages", Outcome.REFUSED),
        ("554 ", Outcome.REFUSED),
    ],
)
def test_a_reply_means_its_outcome(reply: str, outcome: Outcome) -> None:
    code, _, text = reply.partition(" ")
    verdict = verdict_of(Reply(int(code), text.encode()), Phase.VERDICT)
    assert (verdict.outcome, verdict.reply, verdict.code) == (outcome, reply, int(code))
