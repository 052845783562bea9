"""The settings of a shop in tests and benchmarks, as values and as an .ini file. A shop with them
runs in development and captures every email.
"""

from pathlib import Path

_INI = """
[app:main]
use = egg:pillarbox
{settings}

[server:main]
use = egg:pillarbox
"""
_LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = {level}
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(levelname)s %(name)s %(message)s
"""

IN_PRODUCTION = {
    "environment": "production",
    "site.base_url": "https://shop.example.org",
    "payments.provider": "stripe",
    "payments.stripe_secret_key": "rk_live_51Pillarbox",
    "payments.stripe_webhook_secrets": "whsec_Pillarbox",
}
"""What makes these settings those of production. Nobody may ask Stripe with them."""


def shop_settings(
    database_url: str, *, base_url: str = "http://localhost", domain: str = "example.org"
) -> dict[str, str]:
    """Settings as an .ini file gives them. The shop's own addresses are on ``domain``."""
    return {
        "environment": "development",
        "site.name": "Pillarbox",
        "site.base_url": base_url,
        "site.support_email": f"help@{domain}",
        "database.url": database_url,
        "secret": "a secret for tests that is long enough to be taken",
        "email.debug": "true",
        "email.from": f"Pillarbox <shop@{domain}>",
        "payments.provider": "test",
    }


def write_ini(
    path: Path, settings: dict[str, str], *, port: int | None = None, log_level: str | None = None
) -> Path:
    """Write an .ini file with these settings, and return its path. With ``port`` it names the
    server's port; with ``log_level`` it sends the log to standard error.
    """
    lines = [f"{name} = {value.replace('%', '%%')}" for name, value in settings.items()]
    text = _INI.format(settings="\n".join(lines))
    if port is not None:
        text += f"port = {port}\n"
    if log_level is not None:
        text += _LOGGING.format(level=log_level)
    path.write_text(text, encoding="utf-8")
    return path
