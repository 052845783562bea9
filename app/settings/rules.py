"""The rules that tie settings to each other: what production refuses, what belongs together, and
defaults that follow from another setting.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.settings.declarations import SMTP_PORTS
from app.settings.hosts import is_loopback

DEVELOPMENT_SECRET = "development-only-secret-that-production-refuses"  # noqa: S105
"""The `secret` of development.ini. Everybody can read it, so production refuses it."""


def rules(value: Mapping[str, Any]) -> Iterator[tuple[bool, tuple[str, ...], str]]:
    """Every rule, as (whether it is broken, the settings it ties together, what is wrong).

    The first of the settings is the one to change. `value` holds `None` for a setting that is not
    set or could not be read.
    """
    is_production = value["environment"] == "production"
    security, server = value["email.smtp_security"], value["email.smtp_server"]
    username, password = value["email.smtp_username"], value["email.smtp_password"]
    token_url = value["email.smtp_oauth_token_url"]
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
        security == "none" and bool(server) and not is_loopback(server),
        ("email.smtp_security",),
        f'"none" is for a relay on this machine, and {server} is not; use starttls or tls',
    )
    yield (
        security == "none" and bool(username or password or token_url),
        ("email.smtp_security",),
        '"none" would send the user name and password or token in clear; use starttls or tls',
    )
    yield (
        bool(password) and not username,
        ("email.smtp_password", "email.smtp_username"),
        "is set without email.smtp_username; set both or neither",
    )
    yield (
        bool(value["email.brand.logo_dark"]) and not value["email.brand.logo"],
        ("email.brand.logo_dark", "email.brand.logo"),
        "is set without email.brand.logo, which is for light mode; set both or neither",
    )
    yield (
        is_production and bool(username) and not password and not token_url,
        ("email.smtp_username", "email.smtp_password"),
        "is set without email.smtp_password; set both or neither",
    )
    yield from _events_rules(value)
    yield from _stripe_rules(value)
    yield from _oauth_rules(value)


def _events_rules(value: Mapping[str, Any]) -> Iterator[tuple[bool, tuple[str, ...], str]]:
    service, secret, key = "email.events", "email.events_secret", "email.events_key"
    is_production = value["environment"] == "production"
    yield (
        bool(value[service]) and not value[secret],
        (secret, service),
        f"is not set, but {service} is; make one of 32 characters or more and enter it at the"
        " service, as docs/relay.md says",
    )
    yield (
        is_production and 0 < len(value[secret] or "") < 32,
        (secret,),
        "is too short for production; make one of 32 characters or more",
    )
    yield (
        bool(value[secret]) and not value[service],
        (service, secret),
        f"is not set, but {secret} is; set both or neither",
    )
    yield (
        bool(value[key]) and value[service] != "mailgun",
        (key, service),
        f"is for {service} = mailgun alone; unset it",
    )
    yield (
        is_production and 0 < len(value["metrics.token"] or "") < 32,
        ("metrics.token",),
        "is too short for production; make one of 32 characters or more",
    )


def _stripe_rules(value: Mapping[str, Any]) -> Iterator[tuple[bool, tuple[str, ...], str]]:
    provider, key = "payments.provider", "payments.stripe_secret_key"
    is_used = value[provider] == "stripe"
    yield (
        is_used and not value[key],
        (key, provider),
        "is not set, but payments.provider = stripe needs it; make a restricted key at Stripe, as"
        " docs/payments.md says",
    )
    yield (
        is_used and not value["payments.stripe_webhook_secrets"],
        ("payments.stripe_webhook_secrets", provider),
        "is not set, but payments.provider = stripe needs it; make a webhook endpoint at Stripe, as"
        " docs/payments.md says",
    )
    is_production = value["environment"] == "production"
    yield (
        is_production and "_test_" in (value[key] or "")[:8],
        (key,),
        "is a test key, which moves no money; production needs one with _live_",
    )
    yield (
        is_production and bool(value["payments.stripe_api"]),
        ("payments.stripe_api",),
        "is for tests only; unset it",
    )


def _oauth_rules(value: Mapping[str, Any]) -> Iterator[tuple[bool, tuple[str, ...], str]]:
    url, prefix = "email.smtp_oauth_token_url", "email.smtp_oauth_"
    is_used = bool(value[url])
    for part in ("client_id", "client_secret", "scope", "refresh_token"):
        yield (
            bool(value[prefix + part]) and not is_used,
            (url, prefix + part),
            f"is not set, but {prefix}{part} is; set both or neither",
        )
    yield (
        is_used and not value["email.smtp_username"],
        ("email.smtp_username", url),
        f"is not set, but {url} is; name the mailbox that the token is for",
    )
    yield (
        is_used and bool(value["email.smtp_password"]),
        ("email.smtp_password", url),
        f"is set, and {url} is too; a login takes a password or a token, so unset one of them",
    )
    yield (
        is_used and not value[prefix + "client_id"],
        (prefix + "client_id", url),
        f"is not set, but {url} is; set both or neither",
    )
    yield (
        is_used and not (value[prefix + "client_secret"] or value[prefix + "refresh_token"]),
        (prefix + "client_secret", prefix + "refresh_token", url),
        f"is not set; set it, or {prefix}refresh_token, or both",
    )


def derived_defaults(value: Mapping[str, Any]) -> dict[str, Any]:
    """The settings whose default follows from another setting, each with its value."""
    return {
        "site.hosts": value["site.hosts"] or (),
        "server.trusted_proxies": value["server.trusted_proxies"] or (),
        "email.debug_recipients": value["email.debug_recipients"] or (),
        "email.postal_address": value["email.postal_address"] or (),
        "payments.stripe_webhook_secrets": value["payments.stripe_webhook_secrets"] or (),
        "email.smtp_port": value["email.smtp_port"] or SMTP_PORTS[value["email.smtp_security"]],
        "email.return_path": value["email.return_path"] or value["email.from"].address,
        "email.brand.name": value["email.brand.name"] or value["site.name"],
    }
