"""``pillarbox doctor``: what it prints, and how it ends."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.commands import send_test
from tests.support.databases import on_sqlite
from tests.support.pillarbox_command import Pillarbox
from tests.support.relay import Relay
from tests.support.shop_settings import write_ini


@on_sqlite
@pytest.mark.usefixtures("outbox")
def test_it_shows_where_each_setting_came_from_and_no_secret(
    pillarbox: Pillarbox,
    tmp_path: Path,
    sending_values: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "token").write_text("a secret that nobody may see")
    monkeypatch.setenv("PILLARBOX_METRICS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("PILLARBOX_SITE_NAME", "Another name")
    ini = write_ini(tmp_path / "shop.ini", sending_values)
    printed = " ".join(pillarbox("doctor", ini).stdout.split())
    assert "site.name the environment variable PILLARBOX_SITE_NAME Another name" in printed
    assert "metrics.token the file of PILLARBOX_METRICS_TOKEN_FILE (secret)" in printed
    assert "secret shop.ini (secret)" in printed
    assert "email.connections default 2" in printed
    secrets = [sending_values["secret"], sending_values["email.smtp_password"], "nobody may see"]
    assert not any(secret in printed for secret in secrets)


def test_brief_prints_nothing_when_all_is_well(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], outbox: object
) -> None:
    values = sending_values | {"email.return_path": "bounces+{tag}@example.org"}
    ini = write_ini(tmp_path / "shop.ini", values)
    assert pillarbox("doctor", ini, "--brief").output == ""


def test_a_problem_ends_it_with_code_1(
    pillarbox: Pillarbox, ini: Path, unmigrated: Callable[[], None]
) -> None:
    unmigrated()
    printed = pillarbox("doctor", ini, "--brief", code=1).output
    assert "problem  database   database not migrated" in printed
    assert f"pillarbox migrate {ini}" in printed


@on_sqlite
@pytest.mark.usefixtures("outbox")
def test_send_waits_for_the_relay(
    pillarbox: Pillarbox, ini: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_test, "OTHERS_SECONDS", 0.0)
    printed = pillarbox("doctor", ini, "--send", "ada@example.org").stdout
    assert "The relay accepted the email: 250" in printed
    assert "nobody tells: email.events is not set" in printed
    assert len(relay.received) == 1
