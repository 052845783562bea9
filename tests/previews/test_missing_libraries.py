"""Without the extra ``previews``: the shop serves and sends, and what needs the extra names it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app import configure
from app.commands import main
from app.settings import SettingsError

SETTINGS = {
    "environment": "development",
    "site.name": "Pillarbox",
    "site.base_url": "https://shop.example",
    "site.support_email": "help@shop.example",
    "database.url": "sqlite://",
    "secret": "a secret that is only there to be there",
    "email.from": "Pillarbox <shop@shop.example>",
}
SERVE_WITHOUT_EXTRA = f"""
import sys
sys.modules.update(dict.fromkeys(["cssselect2", "lxml", "tinycss2"]))
import app.commands
from app import configure
configure({{}}, {SETTINGS | {"email.debug": "false", "email.smtp_server": "mail.example"}})
print([name for name in sys.modules if name.startswith(("app.previews", "app.development"))])
"""
WHAT_TO_DO = "pip install 'pillarbox[previews]'"


@pytest.fixture
def _without_tinycss2(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("app.previews")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tinycss2", None)


def test_what_serves_and_sends_does_without() -> None:
    command = [sys.executable, "-c", SERVE_WITHOUT_EXTRA]
    assert subprocess.check_output(command, text=True, cwd=Path(__file__).parents[2]) == "[]\n"


@pytest.mark.usefixtures("_without_tinycss2")
@pytest.mark.parametrize("command", [["lint"], ["preview", "--all", "--out", "."]])
def test_a_command_that_needs_the_extra_names_it(command: list[str], tmp_path: Path) -> None:
    ini = tmp_path / "shop.ini"
    ini.touch()
    result = CliRunner().invoke(main, [*command, str(ini)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: Previews and the lint need tinycss2")
    assert WHAT_TO_DO in result.output


@pytest.mark.usefixtures("_without_tinycss2")
def test_a_shop_in_debug_mode_names_the_extra() -> None:
    with pytest.raises(SettingsError) as caught:
        configure({}, SETTINGS | {"email.debug": "true"})
    assert WHAT_TO_DO in str(caught.value)
