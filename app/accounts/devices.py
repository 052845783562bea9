"""The words in which a customer recognises a device: "Firefox on Android".

They are read from the User-Agent header, which a browser can set to anything. So they are shown,
and decide nothing.
"""

from typing import NamedTuple

# The first text found counts. The headers of Edge and Opera name Chrome too,
# and Chrome's names Safari.
_BROWSERS = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Safari/", "Safari"),
]
_SYSTEMS = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
]


class Device(NamedTuple):
    """The names of a browser and of its operating system; ``""`` for what is unknown."""

    browser: str
    system: str


def device_of(user_agent: str) -> Device:
    """What a User-Agent header says."""
    return Device(_first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent))


def _first(names: list[tuple[str, str]], user_agent: str) -> str:
    return next((name for text, name in names if text in user_agent), "")
