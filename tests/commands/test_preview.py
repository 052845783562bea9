"""``pillarbox preview``: the emails' samples as files."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pyramid.router import Router

from app.previews.preview import previews_of
from tests.support.databases import on_sqlite
from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import write_ini

pytestmark = on_sqlite


@pytest.fixture
def ini(tmp_path: Path, settings_values: dict[str, str]) -> Path:
    return write_ini(tmp_path / "preview.ini", settings_values)


def test_the_command_writes_every_sample_in_every_language(
    pillarbox: Pillarbox, ini: Path, tmp_path: Path, app: Router
) -> None:
    folder = tmp_path / "new" / "folder"
    output = pillarbox("preview", ini, "--all", "--out", folder).output
    written = {path.name for path in folder.iterdir()}
    assert written == {
        f"{preview.name}.eml"
        for known in app.registry.email_kinds
        for preview in previews_of(app.registry, known)
    }
    assert "password_reset.short.en.eml" in written
    assert f": {len(written)}." in output
    content = (folder / "welcome.long.en.eml").read_bytes()
    message = message_from_bytes(content, policy=policy.default)
    assert message["Subject"] == "Your account is ready"
    assert message.get_body(("html",)) is not None  # type: ignore[attr-defined]


def test_the_command_writes_one_kind(pillarbox: Pillarbox, ini: Path, tmp_path: Path) -> None:
    pillarbox("preview", ini, "welcome", "--out", tmp_path / "out")
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
    pillarbox: Pillarbox, ini: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    out = tmp_path / "out"
    is_usage = words.startswith("Name one kind")
    result = pillarbox("preview", ini, *arguments, "--out", out, code=2 if is_usage else 1)
    assert words in result.output
    assert not out.exists()
