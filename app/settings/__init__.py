"""The shop's settings: from the .ini file and the environment into one checked, typed object.

Each setting is declared once, in `declarations`. What ties several settings together, and what
production refuses, stands in `rules`. Nothing else in the application reads these values.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from app.settings import values as a
from app.settings.sources import Sources
from app.settings.values import Mailbox

__all__ = [
    "DEVELOPMENT_SECRET",
    "Accounts",
    "Brand",
    "Database",
    "Email",
    "Mailbox",
    "Payments",
    "Settings",
    "SettingsError",
    "Site",
    "includeme",
]

DEVELOPMENT_SECRET = "development-only-secret-that-production-refuses"  # noqa: S105
"""The `secret` of development.ini. Everybody can read it, so production refuses it."""

SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""`email.smtp_port` where none is set, by `email.smtp_security` (RFC 6409, RFC 8314, RFC 5321)."""

IN_PRODUCTION = ("production",)
ALWAYS = ("development", "production", None)
"""Where a setting is required; `None` while `environment` itself is missing or wrong."""


class SettingsError(Exception):
    """All problems of a configuration; `str(error)` has a line for each, and never a secret."""


@dataclass(frozen=True, slots=True)
class Site:
    """The shop as people see it. `base_url` ends with its host or port: no path, no slash."""

    name: str
    base_url: str
    support_email: str


@dataclass(frozen=True, slots=True)
class Database:
    """Where the data is: an SQLAlchemy URL, an SQLite path in it already absolute."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Brand:
    """How emails look: the logo's text, the accent colour and what lies around the paper, both as
    `#rrggbb`, and a list of fonts as CSS writes it.
    """

    name: str
    color: str
    page: str
    font: str


@dataclass(frozen=True, slots=True)
class Email:
    """The email service and its relay; `None` stands for what is not set.

    `debug_recipients` are whole addresses or `*@domain`, in lower case, domains in A-labels.
    """

    debug: bool
    debug_recipients: tuple[str, ...]
    smtp_server: str | None
    smtp_port: int
    smtp_username: str | None
    smtp_password: str | None = field(repr=False)
    smtp_security: str
    smtp_ca_file: str | None
    sender: Mailbox
    return_path: str
    delivery: str
    connections: int
    retention_days: int
    brand: Brand


@dataclass(frozen=True, slots=True)
class Payments:
    """Who takes the money: `test` or `stripe`."""

    provider: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """What an account asks of its owner; the length counts code points."""

    password_min_length: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked: whoever holds this object need not check again."""

    environment: str
    site: Site
    database: Database
    secret: str = field(repr=False)
    email: Email
    payments: Payments
    accounts: Accounts

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @classmethod
    def read(
        cls,
        values: Mapping[str, Any],
        *,
        here: Path,
        source: str,
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """Read and check the `values` of the .ini file `source`; variables in `environ` win.

        Relative paths start at `here`, the .ini's folder. Raises `SettingsError` with all
        problems at once. Reads no file but those that `_FILE` variables name.
        """
        table = {setting.name: setting for setting in declarations(here)}
        sources = Sources(values, source, here, environ)
        problems = dict(sources.unknown_names(list(table)))
        written: dict[str, str] = {}
        places: dict[str, str] = {}
        parsed: dict[str, Any] = dict.fromkeys(table)

        def refuse(name: str, problem: object) -> None:
            """Note the first problem of a setting; a later one only follows from it."""
            problems.setdefault(name, f"{name}: {problem}{places.get(name, '')}")

        for name, setting in table.items():
            try:
                written[name], places[name] = sources.find(name)
                if value := written[name] or setting.default:
                    parsed[name] = setting.read(value)
            except ValueError as fault:
                refuse(name, fault)

        for name, setting in table.items():
            if parsed["environment"] in setting.required_in and not written.get(name):
                refuse(name, f"is not set ({setting.meaning})")
        for is_broken, names, problem in rules(parsed):
            if is_broken and not problems.keys() & set(names):
                refuse(names[0], problem)

        if problems:
            raise SettingsError("\n".join(problems.values()))
        return cls._of(parsed)

    @classmethod
    def _of(cls, parsed: Mapping[str, Any]) -> Self:
        """The object of parsed values, with the defaults that follow from other settings."""

        def section(prefix: str) -> dict[str, Any]:
            return {
                name.removeprefix(prefix): value
                for name, value in parsed.items()
                if name.startswith(prefix)
            }

        brand = section("email.brand.")
        email = {name: value for name, value in section("email.").items() if "." not in name}
        sender = email.pop("from")
        email["smtp_port"] = email["smtp_port"] or SMTP_PORTS[email["smtp_security"]]
        email["return_path"] = email["return_path"] or sender.address
        email["debug_recipients"] = email["debug_recipients"] or ()
        return cls(
            environment=parsed["environment"],
            site=Site(**section("site.")),
            database=Database(**section("database.")),
            secret=parsed["secret"],
            email=Email(
                sender=sender,
                brand=Brand(**brand | {"name": brand["name"] or parsed["site.name"]}),
                **email,
            ),
            payments=Payments(**section("payments.")),
            accounts=Accounts(**section("accounts.")),
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the .ini, what it means and which texts it takes.

    `default` is written as in an .ini, empty for none; environments in `required_in` do without
    it. `is_secret` keeps the value out of messages; `spans_lines` lets it go on in further lines.
    """

    name: str
    meaning: str
    parse: Callable[[str], Any]
    default: str = ""
    required_in: tuple[str | None, ...] = ()
    is_secret: bool = False
    spans_lines: bool = False

    def read(self, value: str) -> Any:
        """The checked value. Raises `ValueError` with a sentence about it."""
        if self.spans_lines:
            value = " ".join(value.split())
        if a.has_unprintable(value):
            raise ValueError("contains a control character; take it out")
        try:
            return self.parse(value)
        except ValueError as problem:
            # user:password@host may stand where only a host belongs.
            is_secret = self.is_secret or re.search(r":[^@\s]*@", value)
            shown = "the value" if is_secret else f'"{value}"'
            raise ValueError(f"{shown} {problem}") from None


def declarations(here: Path) -> tuple[Setting, ...]:
    """Every setting there is; relative paths in their values start at the folder `here`."""
    return (
        Setting(
            "environment",
            "development or production",
            a.one_of("development", "production"),
            required_in=ALWAYS,
        ),
        Setting("site.name", "the shop's name, as people see it", a.title, required_in=ALWAYS),
        Setting(
            "site.base_url",
            "what every link starts with, such as https://shop.example.org",
            a.base_url,
            required_in=ALWAYS,
        ),
        Setting("site.support_email", "where a person answers mail", a.address, required_in=ALWAYS),
        Setting(
            "database.url",
            "an SQLAlchemy URL of SQLite or PostgreSQL",
            a.database_url(here),
            default="sqlite:///var/pillarbox.sqlite",
            required_in=IN_PRODUCTION,
            is_secret=True,
        ),
        Setting(
            "secret",
            "signs cookies and derives keys: 32 characters or more that nobody can guess",
            a.text,
            required_in=ALWAYS,
            is_secret=True,
        ),
        Setting(
            "email.debug",
            "true: capture every email, send none; false: send",
            a.truth,
            required_in=ALWAYS,
        ),
        Setting(
            "email.debug_recipients",
            "addresses and *@domain that receive mail even in debug mode",
            a.recipients,
            spans_lines=True,
        ),
        Setting("email.smtp_server", "the relay's host name", a.host),
        Setting("email.smtp_port", "the relay's port", a.number(1, 65535, "a port number")),
        Setting("email.smtp_username", "the account at the relay", a.text),
        Setting("email.smtp_password", "its password", a.text, is_secret=True),
        Setting(
            "email.smtp_security",
            "how the connection is protected",
            a.one_of(*SMTP_PORTS),
            default="starttls",
        ),
        Setting("email.smtp_ca_file", "certificates of a private CA", a.certificates(here)),
        Setting("email.from", "the sender, written Name <address>", a.mailbox, required_in=ALWAYS),
        Setting("email.return_path", "the envelope sender, where bounces go", a.address),
        Setting(
            "email.delivery",
            "who delivers: a thread of the server, or workers",
            a.one_of("in-process", "worker"),
            default="in-process",
        ),
        Setting("email.connections", "SMTP connections at once", a.number(1, 100), default="2"),
        Setting(
            "email.retention_days", "days that bodies are kept", a.number(1, 3650), default="30"
        ),
        Setting("email.brand.name", "the logo's text; site.name unless set", a.title),
        Setting(
            "email.brand.color",
            "the accent: head, buttons and links",
            a.color,
            default="#b3261e",
        ),
        Setting("email.brand.page", "what lies around the paper", a.color, default="#f4f1ec"),
        Setting(
            "email.brand.font",
            "the fonts, as CSS lists them",
            a.font,
            default="Segoe UI, system-ui, -apple-system, Roboto, Helvetica, Arial, sans-serif",
        ),
        Setting(
            "payments.provider",
            "who takes the money: test or stripe",
            a.one_of("test", "stripe"),
            default="test",
            required_in=IN_PRODUCTION,
        ),
        Setting(
            "accounts.password_min_length",
            "code points a password needs (NIST SP 800-63B-4 asks for 15)",
            a.number(8, 128),
            default="15",
        ),
    )


def rules(value: Mapping[str, Any]) -> Iterator[tuple[bool, tuple[str, ...], str]]:
    """What settings ask of each other: (is it broken?, the settings in it, what is wrong).

    The first setting is the one to change. What is not set, or could not be read, is `None`; a
    rule with a setting that could not be read does not count.
    """
    is_production = value["environment"] == "production"
    security, server = value["email.smtp_security"], value["email.smtp_server"]
    username, password = value["email.smtp_username"], value["email.smtp_password"]
    secret, site_url = value["secret"] or "", value["site.base_url"] or ""

    yield (
        is_production and secret == DEVELOPMENT_SECRET,
        ("secret",),
        "is the development one, which everybody can read; make one of your own",
    )
    yield (
        is_production and 0 < len(secret) < 32,
        ("secret",),
        "is too short for production; make one of 32 characters or more",
    )
    yield (
        is_production and site_url.startswith("http://"),
        ("site.base_url",),
        f'"{site_url}" sends passwords in clear; production needs https://',
    )
    yield (
        is_production and value["payments.provider"] == "test",
        ("payments.provider",),
        '"test" moves no money; production needs stripe',
    )
    yield (
        not server and value["email.debug"] is False,
        ("email.smtp_server",),
        "is not set, but email.debug = false sends email through it",
    )
    yield (
        not server and bool(value["email.debug_recipients"]),
        ("email.smtp_server", "email.debug_recipients"),
        "is not set, but email.debug_recipients are sent their email through it",
    )
    yield (
        security == "none" and bool(server) and not a.is_loopback(server),
        ("email.smtp_security",),
        f'"none" is for a relay on this machine, and {server} is not; use starttls or tls',
    )
    yield (
        security == "none" and bool(username or password),
        ("email.smtp_security",),
        '"none" would send the user name and password in clear; use starttls or tls',
    )
    yield (
        bool(password) and not username,
        ("email.smtp_password", "email.smtp_username"),
        "is set without email.smtp_username; set both or neither",
    )
    yield (
        is_production and bool(username) and not password,
        ("email.smtp_username", "email.smtp_password"),
        "is set without email.smtp_password; set both or neither",
    )


def includeme(config: Any) -> None:
    """Make the settings of this application `config.registry.pillarbox`.

    `here` and `__file__`, the .ini's folder and path, come from PasteDeploy by way of `main`.
    """
    values = config.registry.settings
    config.registry.pillarbox = Settings.read(
        values,
        here=Path(values.get("here", "")).absolute(),
        source=Path(values.get("__file__", "the application's settings")).name,
    )
