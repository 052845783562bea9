"""Previews: what would be sent, without an outbox, and as files."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyramid.router import Router

from app.commands import main
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.previews.preview import Preview, compose_preview, previews_of
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.shop_settings import write_ini

pytestmark = on_sqlite


def test_a_preview_is_the_email_that_would_be_sent(app: Router) -> None:
    differs = {"id", "key", "about", "message_id", "created_at", "expires_at", "recipient_key"}
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


def test_the_command_writes_every_sample_in_every_language(
    tmp_path: Path, settings_values: dict[str, str], app: Router
) -> None:
    ini = write_ini(tmp_path / "preview.ini", settings_values)
    arguments = ["preview", str(ini), "--all", "--out", str(tmp_path / "new" / "folder")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert written == {
        f"{preview.name}.eml"
        for known in app.registry.email_kinds
        for preview in previews_of(app.registry, known)
    }
    assert "password_reset.short.en.eml" in written
    assert f": {len(written)}." in result.output
    content = (tmp_path / "new" / "folder" / "welcome.long.en.eml").read_bytes()
    message = message_from_bytes(content, policy=policy.default)
    assert message["Subject"] == "Your account is ready"
    assert message.get_body(("html",)) is not None  # type: ignore[attr-defined]


def test_the_command_writes_one_kind(tmp_path: Path, settings_values: dict[str, str]) -> None:
    ini = write_ini(tmp_path / "preview.ini", settings_values)
    arguments = ["preview", str(ini), "welcome", "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert {path.name.partition(".")[0] for path in (tmp_path / "out").iterdir()} == {"welcome"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no_such_kind"], "There is no kind of email named no_such_kind. There are: test_message"),
        ([], "Name one kind, or say --all"),
        (["welcome", "--all"], "Name one kind, or say --all"),
    ],
)
def test_the_command_says_what_it_needs(
    tmp_path: Path, settings_values: dict[str, str], arguments: list[str], words: str
) -> None:
    ini = write_ini(tmp_path / "preview.ini", settings_values)
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["preview", str(ini), *arguments, "--out", str(out)])
    assert result.exit_code != 0
    assert words in result.output
    assert not out.exists()


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
