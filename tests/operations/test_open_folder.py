"""The server and the worker warn at their start when other users may look into the folder of the
database.
"""

from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.server_process import pillarbox, running
from tests.support.shop_settings import shop_settings, write_ini

WARNING = "database folder open to other users"


@pytest.mark.parametrize("command", ["serve", "deliver"])
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_an_open_folder_is_a_warning_at_the_start(
    tmp_path: Path, sqlite_url: str, command: str, mode: int
) -> None:
    settings = shop_settings(sqlite_url) | {"email.smtp_server": "relay.test"}
    ini = write_ini(tmp_path / "shop.ini", settings, port=free_port(), log_level="INFO")
    log = tmp_path / "log"
    tmp_path.chmod(mode)

    def has_started() -> bool:
        return log.exists() and "worker started" in log.read_text()

    with running(pillarbox(command, ini), log, has_started):
        pass
    assert log.read_text().count(WARNING) == (1 if mode == 0o755 else 0)
