"""Processes that die at a chosen step, and what a browser asks of a server that does."""

import http.client
import urllib.parse
from collections.abc import Iterable

from webtest import TestApp

_DEATH = """
import importlib, os, signal
module = importlib.import_module({module!r})
holder = {holder}
alive = holder.{name}
def deadly(*arguments, **named):
    if {acts_first}:
        alive(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
holder.{name} = deadly
"""


def death(module: str, name: str, *, after: bool, holder: str = "module") -> str:
    """Statements with which a process dies before it does something, or right after it."""
    return _DEATH.format(module=module, holder=holder, name=name, acts_first=after)


def ask(
    browser: TestApp,
    port: int,
    method: str,
    path: str,
    fields: Iterable[tuple[str, str]] = (),
) -> str | None:
    """One request of the browser to the server on this port, with the cookies and the Host header
    that the browser has. Returns where the answer leads, or None when the server died.
    """
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()),
        "Host": browser.extra_environ["HTTP_HOST"],
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, urllib.parse.urlencode(list(fields)) or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.headers.get("Location", "")
    except (http.client.RemoteDisconnected, ConnectionError):
        return None
    finally:
        connection.close()
