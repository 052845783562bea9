"""What the commands say about an .ini file that cannot be read: the cure, and none of its lines,
because a line may hold a secret.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import shop_settings, write_ini

SECRET = "50%off-and-nobody-knows-it"

Change = Callable[[str], str]

BROKEN: dict[str, tuple[Change, str]] = {
    "a percent sign": (
        lambda text: text.replace("[app:main]", f"[app:main]\nsecret = {SECRET}"),
        "[app:main] secret: write % as %% in an .ini file.",
    ),
    "the same setting twice": (
        lambda text: text.replace("[app:main]", "[app:main]\nsite.name = A\nsite.name = B"),
        "[app:main] site.name is set twice, the second time in line 4.",
    ),
    "the same section twice": (
        lambda text: f"{text}\n[app:main]\n",
        "the section [app:main] begins twice",
    ),
    "no section at all": (
        lambda text: f"secret = {SECRET}\n{text}",
        "line 1 belongs to no section. Begin with one, such as [app:main].",
    ),
    "half a line": (
        lambda text: text.replace("[app:main]", f"[app:main]\n{SECRET}"),
        "a section or a setting (name = value) is expected in line 3.",
    ),
    "another application": (
        lambda text: text.replace("[app:main]", "[app:shop]"),
        "it has no section [app:main].",
    ),
    "a package that is not there": (
        lambda text: text.replace("egg:pillarbox", "egg:nowhere"),
        "`use` names nowhere, which is not installed",
    ),
    "a log handler that does not exist": (
        lambda text: text.replace("class = StreamHandler", "class = NoSuchHandler"),
        "its logging sections are wrong (ModuleNotFoundError: No module named 'NoSuchHandler')",
    ),
}


@pytest.fixture
def broken(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    ini = write_ini(tmp_path / "broken.ini", {"environment": "development"}, log_level="INFO")
    change: Change = request.param
    ini.write_text(change(ini.read_text()))
    return ini


@pytest.mark.parametrize(
    ("broken", "words"), BROKEN.values(), ids=BROKEN.keys(), indirect=["broken"]
)
def test_what_is_wrong_with_the_file_is_reported_and_not_quoted(
    pillarbox: Pillarbox, broken: Path, words: str
) -> None:
    output = pillarbox("deliver", broken, code=1).output
    assert f"{broken} cannot be read: {words}" in output
    assert "off-and-nobody-knows-it" not in output


def test_a_file_that_is_no_text_is_reported(pillarbox: Pillarbox, tmp_path: Path) -> None:
    ini = tmp_path / "picture.ini"
    ini.write_bytes(b"\xff\xd8\xff\xe0")
    assert "it is not text in UTF-8" in pillarbox("deliver", ini, code=1).output


def test_a_file_of_another_kind_is_reported(pillarbox: Pillarbox, tmp_path: Path) -> None:
    toml = tmp_path / "pillarbox.toml"
    toml.touch()
    assert "its name does not end in .ini" in pillarbox("deliver", toml, code=1).output


def test_a_server_without_its_section_is_reported(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str]
) -> None:
    ini = write_ini(tmp_path / "serverless.ini", sending_values)
    ini.write_text(ini.read_text().replace("[server:main]", "[server:other]"))
    assert "it has no section [server:main]" in pillarbox("serve", ini, code=1).output


# Encodings and folders

SHOW = """
import sys
from pathlib import Path
from app.commands.application import load_application
registry = load_application(Path(sys.argv[1]))[0].registry
name, url = registry.pillarbox.site.name, registry.database.engine.url
sys.stdout.buffer.write(f"{name}\\n{url.database}\\n".encode())
"""
LOCALES = {
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def shown(ini: Path, **environ: str) -> list[str]:
    """The shop's name and its database's path, as a new process reads them."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SHOW, ini],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), **environ},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr.decode()
    return process.stdout.decode().splitlines()


@pytest.mark.parametrize("locale", LOCALES.values(), ids=LOCALES.keys())
@pytest.mark.parametrize(
    ("mark", "folder"),
    [
        ("", "shop"),
        ("\ufeff", "50% off"),
        ("", "a%41%%(here)s"),
        ("\ufeff", "what? no #1"),
        ("", "a b@c:d"),
    ],
)
def test_an_ini_file_is_read_as_utf_8_in_any_folder(
    tmp_path: Path, locale: dict[str, str], mark: str, folder: str
) -> None:
    here = tmp_path / folder
    here.mkdir()
    values = shop_settings("sqlite:///var/shop.sqlite") | {"site.name": "B\u00fcro \u5e97"}
    ini = write_ini(here / "shop.ini", values, port=1, log_level="INFO")
    # The mark stands directly before the first section.
    ini.write_text(mark + ini.read_text("utf-8").lstrip(), "utf-8")
    name, database = shown(ini, **locale)
    assert name == "B\u00fcro \u5e97"
    assert database == str(here / "var" / "shop.sqlite")


@pytest.mark.parametrize("locale", LOCALES.values(), ids=LOCALES.keys())
def test_environment_variables_are_read_as_utf_8(tmp_path: Path, locale: dict[str, str]) -> None:
    ini = write_ini(tmp_path / "shop.ini", shop_settings("sqlite:///shop.sqlite"))
    assert shown(ini, PILLARBOX_SITE_NAME="B\u00fcro", **locale)[0] == "B\u00fcro"


def test_a_setting_may_refer_to_the_folder(tmp_path: Path) -> None:
    here = tmp_path / "100%"
    here.mkdir()
    values = shop_settings("sqlite:///x") | {"site.name": "in HERE"}
    ini = write_ini(here / "shop.ini", values)
    ini.write_text(ini.read_text().replace("HERE", "%(here)s"))
    assert shown(ini)[0] == f"in {here}"


def test_logging_sections_may_refer_to_the_environment(tmp_path: Path) -> None:
    ini = write_ini(
        tmp_path / "shop.ini", shop_settings("sqlite:///x"), port=1, log_level="%(SHOP_LEVEL)s"
    )
    assert shown(ini, SHOP_LEVEL="INFO", OTHER="100% %(x)s")[0] == "Pillarbox"
