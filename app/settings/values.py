"""The parsers of settings: each turns the text of a setting into a checked value.

A parser raises `ValueError` with the end of a sentence that starts with the value, such as
`is not a port number (1 to 65535)`. It never repeats the value, which may be a secret.
"""

import re
import ssl
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from email_validator import EmailNotValidError, validate_email
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.settings import png
from app.settings.hosts import entries

TAG = "{tag}"
"""The place of an email's tag in `email.return_path`."""
LONGEST_TAG = 29
"""Characters of the longest tag."""
LONGEST_LOCAL_PART = 64
"""Octets before the @ of an address (RFC 5321 4.5.3.1.1)."""

_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address. The address has its domain in A-labels (`xn--...`)."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Logo:
    """A PNG image, with its width and height in pixels."""

    content: bytes = field(repr=False)
    width: int
    height: int


def has_unprintable(text: str) -> bool:
    """Whether `text` has a control character, a line or paragraph separator or a lone surrogate."""
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def title(value: str) -> str:
    """A name that stands in headers: no `=?`, which opens an encoded word (CVE-2024-6923)."""
    if "=?" in value:
        raise ValueError('is not a name for a header: take out "=?"')
    return value


def truth(value: str) -> bool:
    """`true` or `false`; also yes and no, on and off, 1 and 0."""
    try:
        return _TRUTHS[value.lower()]
    except KeyError:
        raise ValueError("is neither true nor false") from None


def one_of(*choices: str) -> Callable[[str], str]:
    """One word of a short list."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"is not one of {', '.join(choices)}")
        return value

    return parse


def number(least: int, most: int, what: str = "a whole number") -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise ValueError(f"is not {what} ({least} to {most})")
        return int(value)

    return parse


def time_zone(value: str) -> tzinfo:
    """A name of the IANA database. `UTC` needs no database."""
    if value == "UTC":
        return UTC
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(
            "is not a time zone of this machine; write one such as Europe/Berlin, or install the"
            " package tzdata"
        ) from None


def color(value: str) -> str:
    """`#rrggbb`, in lower case."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", value):
        raise ValueError("is not a colour such as #b3261e")
    return value.lower()


def font(value: str) -> str:
    """A list of fonts as CSS writes it. Names of several words are put in quotes."""
    names = [name.strip().strip("'\"") for name in value.split(",")]
    if not all(re.fullmatch("[A-Za-z0-9 _-]+", name) for name in names):
        raise ValueError("is not a list of fonts such as Georgia, Times New Roman, serif")
    return ", ".join(f"'{name}'" if " " in name else name for name in names)


def address(value: str) -> str:
    """An email address, its domain in A-labels. Test domains (`shop.test`) are accepted."""
    try:
        valid = validate_email(
            value, check_deliverability=False, test_environment=True, allow_smtputf8=False
        )
    except EmailNotValidError as problem:
        raise ValueError(f"is not an email address: {problem}") from None
    return f"{valid.ascii_local_part}@{valid.ascii_domain}"


def return_path(value: str) -> str:
    """An email address that may have one `{tag}` in its local part."""
    tagged = value.replace(TAG, "0" * LONGEST_TAG)
    if value.count(TAG) > 1 or TAG in value.rpartition("@")[2]:
        raise ValueError(f"has {TAG} more than once, or after the @")
    if re.search("[{}]", tagged):
        raise ValueError(f"has another name in braces than {TAG}")
    if len(tagged.rpartition("@")[0]) > LONGEST_LOCAL_PART:
        raise ValueError(f"has more than {LONGEST_LOCAL_PART} characters before the @ with a tag")
    return address(tagged).replace("0" * LONGEST_TAG, TAG)


def mailbox(value: str) -> Mailbox:
    """`Name <address>`. The name is all before the last `<`, as written, or without the double
    quotes around it.
    """
    found = re.fullmatch(r"(.*?)\s*<([^<>]*)>", value)
    if found is None or not found[1]:
        raise ValueError("is not of the form Name <address>")
    name, written_address = found.groups()
    if quoted := re.fullmatch(r'"((?:[^"\\]|\\.)*)"', name):
        name = re.sub(r"\\(.)", r"\1", quoted[1]).strip()
    elif "," in name or name.count('"') % 2:
        # A comma may stand between two addresses.
        raise ValueError(
            'is not of the form Name <address> (a name with a comma stands in "double quotes")'
        )
    if not name or "<" in name or ">" in name:
        raise ValueError("is not of the form Name <address> (one address, no < or > in the name)")
    return Mailbox(title(name), address(written_address))


def lines(value: str) -> tuple[str, ...]:
    """The lines of a text."""
    return tuple(value.split("\n"))


def recipients(value: str) -> tuple[str, ...]:
    """Addresses and `*@domain`, separated by white space or commas. Returned in lower case."""
    return tuple(map(_recipient, entries(value)))


def _recipient(entry: str) -> str:
    try:
        local_part, at, domain = entry.partition("@")
        if local_part == "*" and at:
            return address(f"anybody@{domain}").lower().replace("anybody", "*", 1)
        return address(entry).lower()
    except ValueError:
        raise ValueError("is not a list of whole addresses and *@domain") from None


def database_url(value: str, here: Path) -> str:
    """An SQLAlchemy URL of SQLite or PostgreSQL. A relative SQLite path starts at `here`."""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(_NOT_A_DATABASE) from None
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ValueError(_NOT_A_DATABASE)
    path = url.database or ":memory:"
    if path != ":memory:" and not path.startswith("file:"):
        url = url.set(database=str(here / path))
    return url.render_as_string(hide_password=False)


_NOT_A_DATABASE = (
    "is not an SQLAlchemy URL such as sqlite:///var/shop.sqlite"
    " or postgresql+psycopg://user:password@host/name"
)


def folder(value: str, here: Path) -> Path:
    """The path of a folder. A relative one starts at `here`."""
    path = here / value
    if not path.is_dir():
        raise ValueError("is not a folder")
    return path


def path(value: str, here: Path) -> Path:
    """The path of a folder or file that need not exist. A relative one starts at `here`."""
    return here / value


def stripe_key(value: str) -> str:
    """A secret or restricted key of Stripe, of a test or of the real mode."""
    if not re.fullmatch(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+", value):
        raise ValueError(
            "is not a secret key of Stripe: it begins with sk_live_, rk_live_, sk_test_ or rk_test_"
        )
    return value


def webhook_secrets(value: str) -> tuple[str, ...]:
    """One or two signing secrets of Stripe, separated by white space or commas."""
    secrets = tuple(entries(value))
    if not all(re.fullmatch(r"whsec_[!-~]+", secret) for secret in secrets):
        raise ValueError("is not a signing secret of Stripe: it begins with whsec_")
    if len(secrets) > 2:
        raise ValueError("has more than two secrets: one, or the old and the new one")
    return secrets


def certificates(value: str, here: Path) -> str:
    """The path of a file with certificates. A relative one starts at `here`."""
    path = here / value
    if not path.is_file():
        raise ValueError("is not a file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError("is a file without a certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    return str(path)


LARGEST_LOGO = 100 * 1024
"""Octets. Each email carries the logo, and so does its row in the outbox."""
LEAST_PIXELS, MOST_PIXELS = (16, 16), (1200, 400)
"""Width and height of a logo."""


def logo(value: str, here: Path) -> Logo:
    """A PNG file. A relative path starts at `here`."""
    path = here / value
    if not path.is_file():
        raise ValueError("is not a file")
    try:
        octets = path.stat().st_size
        if octets > LARGEST_LOGO:
            raise ValueError(f"has {octets} octets; the most is {LARGEST_LOGO} (100 KB)")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    width, height = png.size(content)
    fits = all(
        least <= pixels <= most
        for least, pixels, most in zip(LEAST_PIXELS, (width, height), MOST_PIXELS, strict=True)
    )
    if not fits:
        raise ValueError(
            f"has {width} x {height} pixels; a logo has {LEAST_PIXELS[0]} x {LEAST_PIXELS[1]}"
            f" to {MOST_PIXELS[0]} x {MOST_PIXELS[1]}"
        )
    return Logo(content, width, height)
