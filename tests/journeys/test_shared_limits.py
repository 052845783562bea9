"""Two web processes on one PostgreSQL share a limit: of many tries at once, as many pass as the
limit allows (STANDARDS B7).
"""

import re
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from app.accounts.rate_limits import FAILURES_OF_ADDRESS
from app.database.engine import Database
from tests.support.accounts import ANNA, ANOTHER_PASSWORD, add_account
from tests.support.at_once import at_once
from tests.support.ports import free_port, is_listening
from tests.support.server_process import pillarbox, running
from tests.support.shop_settings import shop_settings, write_ini

TRIES = 200


class Client:
    """A browser in a network of its own, which a trusted proxy names."""

    def __init__(self, base: str, number: int) -> None:
        self._url = f"{base}/sign-in"
        self._headers = {"X-Forwarded-For": f"198.18.0.{number + 1}"}
        cookies = urllib.request.HTTPCookieProcessor()
        self._opener = urllib.request.build_opener(cookies)
        page = self._open(None)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token
        self._fields = {"csrf_token": token[1], "email": ANNA, "password": ANOTHER_PASSWORD}

    def try_to_sign_in(self) -> int:
        """The status of a sign-in with a wrong password."""
        try:
            self._open(urllib.parse.urlencode(self._fields).encode())
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        raise AssertionError("a wrong password signed in")

    def _open(self, form: bytes | None) -> str:
        request = urllib.request.Request(self._url, form, self._headers)  # noqa: S310 (http)
        with self._opener.open(request, timeout=60) as response:
            return str(response.read().decode())


def test_two_processes_share_the_limit_of_an_address(tmp_path: Path, postgresql_url: str) -> None:
    database = Database(postgresql_url)
    add_account(database)
    database.dispose()
    with ExitStack() as stack:
        bases = []
        for number in range(2):
            port = free_port()
            bases.append(f"http://localhost:{port}")
            values = shop_settings(postgresql_url, base_url=bases[-1])
            values |= {"server.trusted_proxies": "127.0.0.1", "email.delivery": "worker"}
            ini = write_ini(tmp_path / f"{number}.ini", values, port=port)
            command, log = pillarbox("serve", ini), tmp_path / f"{number}.log"
            stack.enter_context(running(command, log, lambda port=port: is_listening(port)))
        clients = [Client(bases[number % 2], number) for number in range(TRIES)]
        statuses = Counter(at_once(Client.try_to_sign_in, clients))
    assert statuses == {422: FAILURES_OF_ADDRESS.count, 429: TRIES - FAILURES_OF_ADDRESS.count}
