"""A preview is the email that would be sent, and it is never stored."""

import pytest
from pyramid.router import Router

from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.previews import preview as previews
from app.previews.preview import Preview, compose_preview, previews_of
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox

pytestmark = on_sqlite


def test_a_preview_is_the_email_that_would_be_sent(app: Router) -> None:
    differs = {
        "id",
        "key",
        "about",
        "message_id",
        "created_at",
        "expires_at",
        "recipient_key",
        "mailbox_key",
    }
    decided = {"state", "reason", "attempts", "next_attempt_at", "leased_by", "leased_until"}
    unknown = {"request_id", "sent_at"}
    for known in app.registry.email_kinds:
        preview = Preview(known, "short", "en")
        shown = compose_preview(app.registry, preview)
        message = app.registry.email_composer.compose(
            known, known.samples["short"], to=preview.to, about="preview"
        )
        with app.registry.database.transaction(write=True) as session:
            sent = Outbox(app.registry).service(session).send_message(message, key=preview.name)
            for column in set(OutboxEmail.__table__.columns.keys()) - differs - decided - unknown:
                assert getattr(shown, column) == getattr(sent, column), column


def test_a_preview_is_never_stored_and_always_the_same(app: Router) -> None:
    known = app.registry.email_kinds.get("purchase_receipt")
    for preview in previews_of(app.registry, known):
        one, other = (message_bytes(compose_preview(app.registry, preview)) for _ in range(2))
        assert one == other
    with app.registry.database.transaction(write=False) as session:
        assert session.query(OutboxEmail).count() == 0


@pytest.mark.parametrize(("debug", "reloads"), [("true", True), ("false", False)])
def test_an_application_looks_for_changes_in_debug_mode_only(
    make_app: MakeApp,
    settings_values: dict[str, str],
    debug: str,
    reloads: bool,
) -> None:
    values = settings_values | {"email.debug": debug, "email.smtp_server": "relay.example.org"}
    composer = make_app(values).registry.email_composer
    assert composer._templates.auto_reload is reloads


def test_an_email_is_checked_again_once_it_has_changed(
    app: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    monkeypatch.setattr(previews, "_last_checks", {})
    monkeypatch.setattr(previews, "lint", lambda source, expected: checked.append(source) or [])
    shown = Preview(app.registry.email_kinds.get("welcome"), "short", "en")
    for subject in ("One", "One", "Two", "One"):
        email = compose_preview(app.registry, shown)
        email.subject = subject
        assert previews.findings_of(app.registry, shown, email) == []
    assert len(checked) == 3
