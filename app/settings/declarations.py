"""Every setting, declared once: a field of a section, with its meaning, its parser and its default.

A section is a dataclass, and its fields name the settings: `smtp_port` of `email` is
`email.smtp_port` in the .ini file.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from app.settings import hosts, values
from app.settings.values import Logo, Mailbox

SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The default of `email.smtp_port` for each `email.smtp_security` (RFC 6409, RFC 8314, RFC 5321).
"""

IN_PRODUCTION = ("production",)
ALWAYS = ("development", "production", None)
"""Where a setting is required. `None` stands for an `environment` that is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How the text of one setting becomes its value.

    `default` is written as in an .ini file; empty means none. The environments in `required_in` do
    without it. `is_secret` keeps the value out of messages. `spans_lines` lets it have several
    lines. `takes_folder` passes the parser the folder where relative paths start, too.
    """

    meaning: str
    parse: Callable[..., Any]
    name: str = ""
    default: str = ""
    required_in: tuple[str | None, ...] = ()
    is_secret: bool = False
    spans_lines: bool = False
    takes_folder: bool = False

    def read(self, value: str, here: Path) -> Any:
        """The checked value. Relative paths start at `here`. Raises `ValueError` with a message
        that says what is wrong with the value.
        """
        if self.spans_lines:
            lines = (line.strip(" \t\r") for line in value.split("\n"))
            value = "\n".join(line for line in lines if line)
        if values.has_unprintable(value.replace("\n", "") if self.spans_lines else value):
            raise ValueError("contains a control character; take it out")
        try:
            return self.parse(value, here) if self.takes_folder else self.parse(value)
        except ValueError as problem:
            # A misplaced user:password@host is a secret in any setting.
            is_secret = self.is_secret or re.search(r":[^@\s]*@", value)
            shown = "the value" if is_secret else f'"{value}"'
            raise ValueError(f"{shown} {problem}") from None


def setting(
    meaning: str, parse: Callable[..., Any], *, unset: Any = MISSING, **options: Any
) -> Any:
    """Declare the field of a section as a setting; `options` are the other fields of `Setting`.
    With `unset` the section can be made without it.
    """
    declared = Setting(meaning, parse, **options)
    return field(default=unset, repr=not declared.is_secret, metadata={"setting": declared})


@dataclass(frozen=True, slots=True)
class Site:
    """The shop as people see it. `base_url` ends with its host or port: no path, no slash."""

    name: str = setting("the shop's name, as people see it", values.title, required_in=ALWAYS)
    base_url: str = setting(
        "what every link starts with, such as https://shop.example.org",
        hosts.base_url,
        required_in=ALWAYS,
    )
    support_email: str = setting("where a person answers mail", values.address, required_in=ALWAYS)
    time_zone: tzinfo = setting(  # noqa: RUF009 (it returns a dataclass field)
        "the time zone whose days and years count", values.time_zone, default="UTC"
    )
    pages: Path | None = setting(  # noqa: RUF009 (it returns a dataclass field)
        "the folder of your own pages, such as imprint.md", values.folder, takes_folder=True
    )
    hosts: tuple[str, ...] = setting(
        "further host names this site answers to, besides the one in site.base_url",
        hosts.hosts,
        spans_lines=True,
    )
    hsts: str = setting(
        "for which hosts browsers insist on HTTPS: subdomains, or host for this one alone",
        values.one_of("subdomains", "host"),
        unset="subdomains",
        default="subdomains",
    )


@dataclass(frozen=True, slots=True)
class Server:
    """What stands in front of the server."""

    trusted_proxies: tuple[hosts.Network, ...] = setting(
        "addresses and networks of proxies whose X-Forwarded-For, X-Forwarded-Host and"
        " X-Request-ID are believed",
        hosts.networks,
        spans_lines=True,
    )


@dataclass(frozen=True, slots=True)
class Database:
    """Where the data is: an SQLAlchemy URL. The path of an SQLite file in it is absolute."""

    url: str = setting(
        "an SQLAlchemy URL of SQLite or PostgreSQL",
        values.database_url,
        default="sqlite:///var/pillarbox.sqlite",
        required_in=IN_PRODUCTION,
        is_secret=True,
        takes_folder=True,
    )


@dataclass(frozen=True, slots=True)
class Brand:
    """How emails look. Both colours are `#rrggbb`, and `font` is a list as CSS writes it."""

    name: str = setting("the name in the head; unless set, site.name", values.title)
    color: str = setting(
        "the accent colour of head, buttons and links", values.color, default="#b3261e"
    )
    page: str = setting("the colour around the content", values.color, default="#f4f1ec")
    font: str = setting(
        "the fonts, as CSS lists them",
        values.font,
        default="Segoe UI, system-ui, -apple-system, Roboto, Helvetica, Arial, sans-serif",
    )
    logo: Logo | None = setting(  # noqa: RUF009 (it returns a dataclass field)
        "a PNG file for the head", values.logo, unset=None, takes_folder=True
    )
    logo_dark: Logo | None = setting(  # noqa: RUF009
        "the same for dark mode", values.logo, unset=None, takes_folder=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """The email service and its relay. `None` means not set.

    `debug_recipients` are whole addresses or `*@domain`, in lower case, domains in A-labels.
    """

    debug: bool = setting(
        "true: capture every email, send none; false: send", values.truth, required_in=ALWAYS
    )
    debug_recipients: tuple[str, ...] = setting(
        "addresses and *@domain that receive mail even in debug mode",
        values.recipients,
        spans_lines=True,
    )
    smtp_server: str | None = setting("the relay's host name", hosts.host)
    smtp_port: int = setting("the relay's port", values.number(1, 65535, "a port number"))
    smtp_username: str | None = setting("the account at the relay", str)
    smtp_password: str | None = setting("the password of that account", str, is_secret=True)
    smtp_security: str = setting(
        "how the connection is protected", values.one_of(*SMTP_PORTS), default="starttls"
    )
    smtp_ca_file: str | None = setting(
        "certificates of a private CA", values.certificates, takes_folder=True
    )
    smtp_oauth_token_url: str | None = setting(
        "the token server, for a login with OAuth 2.0 in place of a password", hosts.https_url
    )
    smtp_oauth_client_id: str | None = setting("what we are at the token server", str)
    smtp_oauth_client_secret: str | None = setting(
        "the password of email.smtp_oauth_client_id", str, is_secret=True
    )
    smtp_oauth_scope: str | None = setting("what the token is asked for", str)
    smtp_oauth_refresh_token: str | None = setting(
        "what a person who signed in at the token server got", str, is_secret=True
    )
    smtp_hello: str | None = setting(
        "what this machine calls itself to the relay, in EHLO", hosts.hello
    )
    sender: Mailbox = setting(  # noqa: RUF009 (it returns a dataclass field)
        "the sender, written Name <address>", values.mailbox, name="from", required_in=ALWAYS
    )
    return_path: str = setting(
        "the envelope sender, where bounces go; {tag} in it says which email a bounce is about",
        values.return_path,
    )
    events: str | None = setting(
        "the service whose webhook tells what becomes of an email after it was sent",
        values.one_of("ses", "postmark", "mailgun", "sendgrid", "brevo"),
        unset=None,
    )
    events_secret: str | None = setting(
        "the password of that webhook (HTTP Basic)", str, unset=None, is_secret=True
    )
    events_key: str | None = setting(
        "Mailgun's key for the signatures of webhooks", str, unset=None, is_secret=True
    )
    delivery: str = setting(
        "who delivers: a thread of the server, or workers",
        values.one_of("in-process", "worker"),
        default="in-process",
    )
    connections: int = setting("SMTP connections at once", values.number(1, 100), default="2")
    retention_days: int = setting("days that bodies are kept", values.number(1, 3650), default="30")
    postal_address: tuple[str, ...] = setting(
        "the postal address in the footer of every email, line by line",
        values.lines,
        spans_lines=True,
    )
    brand: Brand


@dataclass(frozen=True, slots=True)
class Metrics:
    """Who may read `/metrics`."""

    token: str | None = setting(
        "the bearer token with which other machines than this one read /metrics",
        str,
        unset=None,
        is_secret=True,
    )


@dataclass(frozen=True, slots=True)
class Payments:
    """Who takes the money: `test` or `stripe`."""

    provider: str = setting(
        "who takes the money: test or stripe",
        values.one_of("test", "stripe"),
        default="test",
        required_in=IN_PRODUCTION,
    )
    stripe_secret_key: str | None = setting(
        "the shop's key at Stripe: a secret key or, better, a restricted one",
        values.stripe_key,
        unset=None,
        is_secret=True,
    )
    stripe_webhook_secrets: tuple[str, ...] = setting(
        "the signing secret of the webhook endpoint at Stripe, or the old and the new one",
        values.webhook_secrets,
        unset=(),
        is_secret=True,
    )
    stripe_api: str | None = setting(
        "where Stripe's API is, for tests: http on this machine", hosts.loopback_url, unset=None
    )


@dataclass(frozen=True, slots=True)
class Shop:
    """What is sold."""

    files: Path = setting(  # noqa: RUF009 (it returns a dataclass field)
        "the folder of what is sold, which `pillarbox shop` fills",
        values.path,
        default="var/files",
        takes_folder=True,
    )


@dataclass(frozen=True, slots=True)
class Accounts:
    """What an account asks of its owner. The length counts code points."""

    password_min_length: int = setting(
        "code points a password needs (NIST SP 800-63B-4 asks for 15)",
        values.number(8, 128),
        default="15",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, already checked."""

    environment: str = setting(
        "development or production", values.one_of("development", "production"), required_in=ALWAYS
    )
    site: Site
    server: Server
    database: Database
    secret: str = setting(
        "signs cookies and derives keys: 32 characters or more that nobody can guess",
        str,
        required_in=ALWAYS,
        is_secret=True,
    )
    email: Email
    metrics: Metrics
    payments: Payments
    shop: Shop
    accounts: Accounts

    @property
    def is_production(self) -> bool:
        return self.environment == "production"


def all_settings(section: Any = Settings, prefix: str = "") -> Iterator[Setting]:
    """Every setting of a section and of the sections in it, with its full name."""
    for member in fields(section):
        if declared := member.metadata.get("setting"):
            yield replace(declared, name=prefix + (declared.name or member.name))
        else:
            yield from all_settings(member.type, f"{prefix}{member.name}.")


def build(value: Mapping[str, Any], section: Any = Settings, prefix: str = "") -> Any:
    """A section's object, from the value of each setting by its full name."""
    arguments = {}
    for member in fields(section):
        if declared := member.metadata.get("setting"):
            arguments[member.name] = value[prefix + (declared.name or member.name)]
        else:
            arguments[member.name] = build(value, member.type, f"{prefix}{member.name}.")
    return section(**arguments)
