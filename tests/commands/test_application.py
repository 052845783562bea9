"""What the commands say about an .ini file that cannot be read: the cure, and none of its lines,
because a line may hold a secret.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import write_ini

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
