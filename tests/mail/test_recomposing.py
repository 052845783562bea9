"""An email whose template was broken is composed and sent once the template is corrected."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from pyramid.router import Router
from sqlalchemy import update

from app.mail import Attachment, BodyFormat, Kind, Message, RateLimit, Recipient
from app.mail.composing.head_image import HeadImage
from app.mail.delivery.expiry import Expiry
from app.mail.outbox import decisions
from app.mail.outbox.batches import Act
from app.mail.outbox.decisions import Refused
from app.mail.outbox.many import ManyDecisions
from app.mail.outbox.rules import Why
from app.mail.outbox.search import Filter
from app.mail.outbox.tables import OutboxEmail, State
from app.mail.recomposing import BATCH, Recomposing
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.outbox import RECEIPT, Note, Outbox, attachments, kind, put
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.waiting import eventually
from tests.support.workers import Hire

GOOD = (
    "<title>{% block subject %}A note{% endblock %}</title>"
    "<!-- content --><p>{{ words }}</p><!-- /content -->"
)
BROKEN = GOOD.replace("words", "wodrs")
NOTE = kind()
SECRET = kind("secret", carries_secret=True, time_to_live=timedelta(minutes=30))


@dataclass
class Templates:
    """The folder with the templates of the tests' kinds, and applications that use it."""

    folder: Path
    make_app: MakeApp
    values: dict[str, str]
    app: Router | None = None

    def write(self, content: str, *names: str) -> None:
        for name in names or ("note", "secret"):
            (self.folder / "email" / f"{name}.jinja2").write_text(content)

    def start(self, *kinds: Kind) -> Outbox:
        """The outbox of an application that has just started."""
        self.app = self.make_app(self.values)
        registry = self.app.registry
        registry.email_templates.searchpath.insert(0, str(self.folder))
        registry.email_composer.raises = False
        for each in kinds or (NOTE, SECRET):
            registry.email_kinds.add(each)
        return Outbox(registry)


@pytest.fixture
def templates(tmp_path: Path, make_app: MakeApp, scripted_values: dict[str, str]) -> Templates:
    (tmp_path / "email").mkdir()
    templates = Templates(tmp_path, make_app, scripted_values)
    templates.write(BROKEN)
    return templates


def compose(outbox: Outbox, number: int = 1, of: Kind = NOTE, **details: Any) -> OutboxEmail:
    """Compose and commit one email, as a request would."""
    registry = outbox.registry
    address = details.pop("address", f"customer{number}@example.org")
    to = Recipient(address, "Ada", "de", details.pop("body_format", BodyFormat.TEXT))
    context = details.pop("context", Note(f"Hello {number}"))
    about = details.pop("about", f"note:{number}")
    message = registry.email_composer.compose(of, context, to=to, about=about, **details)
    with registry.database.transaction(write=True) as session:
        return outbox.service(session).send_message(message, key=f"{of.name}:{number}")


def recompose(outbox: Outbox) -> Recomposing:
    """What a worker does at its start."""
    registry = outbox.registry
    recomposing = Recomposing(
        registry.database, registry.email_kinds, registry.email_composer, registry.email_wakeup
    )
    while not recomposing.is_done:
        recomposing.run(registry.clock())
    return recomposing


def resend(outbox: Outbox, email: OutboxEmail) -> OutboxEmail:
    registry = outbox.registry
    with registry.database.transaction(write=True) as session:
        row = session.get_one(OutboxEmail, email.id)
        found = registry.email_kinds.get(row.kind)
        decisions.resend(session, row, found, registry.clock(), registry.email_composer)
    return outbox.row(email)


def test_the_next_start_sends_it_once_under_its_key_and_message_id(
    templates: Templates, scripted: ScriptedSMTP, hire: Hire
) -> None:
    email = compose(templates.start(), attachments=(RECEIPT,))
    assert (email.state, email.subject, email.has_body) == ("failed", "", False)
    assert email.reason == (
        "could not be composed: UndefinedError: 'wodrs' is undefined in email/note.jinja2, line 1"
    )
    templates.write(GOOD)
    outbox = templates.start()
    hire(templates.app).start()
    eventually(lambda: outbox.row(email).state == State.SENT)
    row = outbox.row(email)
    assert (row.key, row.message_id, row.subject) == (email.key, email.message_id, "A note")
    assert (row.text_body, row.html_body, row.made_from) == ("Hello 1\n", None, None)
    assert [each.filename for each in row.attachments] == ["receipt.pdf"]
    assert scripted.received == [email.message_id]


@pytest.mark.parametrize("again", [resend, lambda outbox, _: recompose(outbox)])
def test_files_that_composing_adds_are_attached_once(templates: Templates, again: Any) -> None:
    logo = HeadImage(Attachment("logo.png", "image/png", b"PNG"), "<p", 48)
    outbox = templates.start()
    outbox.registry.email_composer._logos.append(logo)
    templates.write(GOOD.replace("words", "words|no_such_filter"))
    email = compose(outbox, attachments=(RECEIPT,), body_format=BodyFormat.BOTH)
    assert [each.filename for each in outbox.row(email).attachments] == ["receipt.pdf"]
    templates.write(GOOD)
    outbox = templates.start()
    outbox.registry.email_composer._logos.append(logo)
    again(outbox, email)
    row = outbox.row(email)
    assert [each.filename for each in row.attachments] == ["receipt.pdf", "logo.png"]
    assert (row.state, attachments(outbox)) == ("queued", 2)
    assert row.html_body


def test_a_start_tries_each_once_and_logs_a_broken_template_once(
    templates: Templates, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = templates.start()
    emails = [compose(outbox, number) for number in range(BATCH + 2)]
    good = compose(outbox, 1, SECRET)
    templates.write(GOOD, "secret")
    caplog.clear()
    caplog.set_level(logging.INFO, "app.mail")
    outbox = templates.start()
    recompose(outbox)
    assert {outbox.row(email).state for email in emails} == {"failed"}
    assert outbox.row(good).state == "queued"
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        f"email could not be composed again: email={emails[0].id} kind=note",
        f"emails composed again: queued=1 failed={BATCH + 2}",
    ]
    templates.write(GOOD)
    assert resend(templates.start(), emails[0]).state == "queued"


def test_resend_composes_it_again_and_says_what_is_still_wrong(
    templates: Templates, clock: Clock
) -> None:
    outbox = templates.start()
    email = compose(outbox)
    with pytest.raises(Refused, match=r"'wodrs' is undefined in email/note\.jinja2, line 1"):
        resend(outbox, email)
    assert outbox.row(email).made_from is not None
    templates.write(GOOD)
    clock.advance(timedelta(days=5))
    row = resend(templates.start(), email)
    assert (row.state, row.reason, row.text_body) == ("queued", None, "Hello 1\n")
    assert row.expires_at == clock.now + NOTE.time_to_live


def test_an_email_whose_time_to_live_is_over_is_left_to_a_person(
    templates: Templates, clock: Clock
) -> None:
    email = compose(templates.start())
    templates.write(GOOD)
    clock.advance(NOTE.time_to_live)
    outbox = templates.start()
    recompose(outbox)
    assert outbox.row(email).state == "failed"
    assert resend(outbox, email).state == "queued"


def expiry_of(outbox: Outbox) -> Expiry:
    registry = outbox.registry
    settings = registry.pillarbox.email
    return Expiry(registry.database, settings, registry.email_kinds, registry.clock)


def test_a_context_with_a_secret_is_erased_with_its_time_to_live(
    templates: Templates, clock: Clock
) -> None:
    outbox = templates.start()
    secret, note = compose(outbox, 1, SECRET, attachments=(RECEIPT,)), compose(outbox, 2)
    expiry_of(outbox).run_due_tasks()
    assert outbox.row(secret).made_from is not None
    clock.advance(SECRET.time_to_live)
    expiry_of(outbox).run_due_tasks()
    assert outbox.row(secret).made_from is None
    assert outbox.row(note).made_from is not None
    assert attachments(outbox) == 0
    with pytest.raises(Refused, match="request a new one"):
        resend(outbox, secret)


def test_a_context_is_erased_after_the_days_that_bodies_are_kept(
    templates: Templates, clock: Clock
) -> None:
    outbox = templates.start()
    email = compose(outbox)
    clock.advance(timedelta(days=31))
    assert expiry_of(outbox).purge() == 1
    assert outbox.row(email).made_from is None
    with pytest.raises(Refused, match="repeat what sent it"):
        resend(outbox, email)


def test_the_limit_holds_for_what_cannot_be_composed_too(templates: Templates) -> None:
    few = kind("note", limit=RateLimit(2, timedelta(hours=1)))
    outbox = templates.start(few)
    states = [compose(outbox, n, few, address="ada@example.org").state for n in range(4)]
    assert states == ["failed", "failed", "throttled", "throttled"]
    templates.write(GOOD)
    outbox = templates.start(few)
    assert recompose(outbox)._queued == 2


def test_what_ends_an_email_before_its_handover_ends_it_now(
    templates: Templates, hire: Hire, scripted: ScriptedSMTP
) -> None:
    newest = kind("note", supersedes=True)
    outbox = templates.start(newest)
    suppressed = compose(outbox, 1, newest)
    older = compose(outbox, 2, newest, about="note:same")
    newer = compose(outbox, 3, newest, about="note:same")
    outbox.suppress("customer1@example.org")
    templates.write(GOOD)
    outbox = templates.start(newest)
    recompose(outbox)
    hire(templates.app).run_once()
    states = [outbox.row(email).state for email in (suppressed, older, newer)]
    assert states == ["suppressed", "superseded", "sent"]
    assert scripted.received == [newer.message_id]


def test_a_newer_email_about_the_same_thing_ends_it_and_erases_its_secret(
    templates: Templates,
) -> None:
    newest = kind("secret", supersedes=True, carries_secret=True)
    outbox = templates.start(newest)
    older = compose(outbox, 1, newest, about="note:same")
    templates.write(GOOD)
    outbox = templates.start(newest)
    assert compose(outbox, 2, newest, about="note:same").state == "queued"
    row = outbox.row(older)
    assert (row.state, row.made_from) == ("superseded", None)
    recompose(outbox)
    assert outbox.row(older).state == "superseded"


def test_an_error_that_no_database_stores_is_stored_all_the_same(templates: Templates) -> None:
    outbox = templates.start()
    composer = outbox.registry.email_composer
    problem = composer.problem_of(UndefinedError("NUL \x00, half \ud83d"), NOTE)
    message = Message(NOTE, Recipient("a@example.org"), "note:1", "", None, None, (), problem)
    with outbox.registry.database.transaction(write=True) as session:
        email = outbox.service(session).send_message(message, key="note:1")
    assert email.state == "failed"
    assert "\x00" not in (outbox.row(email).reason or "")


def test_an_email_that_somebody_moved_meanwhile_stays(templates: Templates) -> None:
    outbox = templates.start()
    email = compose(outbox)
    templates.write(GOOD)
    outbox = templates.start()
    registry = outbox.registry
    compose_one = registry.email_composer.compose

    def cancel_meanwhile(*arguments: Any, **details: Any) -> Any:
        put(outbox, email, State.CANCELLED)
        return compose_one(*arguments, **details)

    registry.email_composer.compose = cancel_meanwhile
    assert recompose(outbox)._queued == 0
    assert (outbox.row(email).state, outbox.row(email).has_body) == ("cancelled", False)


def test_a_context_that_cannot_be_kept_fails_as_before(
    templates: Templates, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = templates.start()
    email = compose(outbox, context=Note(words=object()))  # type: ignore[arg-type]
    assert (email.state, email.made_from) == ("failed", None)
    assert "context cannot be kept: kind=note problem=a builtins.object" in caplog.text
    with pytest.raises(Refused, match="could not be kept"):
        resend(outbox, email)


@pytest.mark.parametrize(
    "made_from", ['["text",{"datetime":"x"}]', '["text","Hello"]', "", '["other",null]']
)
def test_a_context_that_no_longer_fits_is_refused_and_left(
    templates: Templates, made_from: str
) -> None:
    outbox = templates.start()
    email = compose(outbox)
    templates.write(GOOD)
    outbox = templates.start()
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(update(OutboxEmail).values(made_from=made_from))
    assert recompose(outbox)._failed == 1
    with pytest.raises(Refused, match="cannot be composed again"):
        resend(outbox, email)
    assert outbox.row(email).state == "failed"


def test_all_of_them_are_resent_at_once_and_those_that_stay_broken_are_refused(
    templates: Templates,
) -> None:
    outbox = templates.start()
    emails = [compose(outbox, number) for number in range(3)]
    broken = compose(outbox, 3, SECRET)
    templates.write(GOOD, "note")
    outbox = templates.start()
    batches = ManyDecisions.of(outbox.registry).run(
        Act.RESEND, Filter(), newest=broken.id, by="", note=lambda *_: None
    )
    (batch,) = batches
    assert (batch.done, batch.refused) == (3, {Why.UNCOMPOSED: [broken.id]})
    for number, email in enumerate(emails):
        row = outbox.row(email)
        assert (row.state, row.message_id) == ("queued", email.message_id)
        assert f"Hello {number}" in (row.text_body or "")
    assert outbox.row(broken).state == "failed"
