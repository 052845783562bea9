"""The settings that Pillarbox runs with here, for applications in this process and for others."""

from pathlib import Path

from benchmarks.sink import Sink

USERNAME, PASSWORD = "shop", "the sink takes any password"

_INI = """\
[app:main]
use = egg:pillarbox
{settings}

[server:main]
use = egg:pillarbox
port = {port}

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = line
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = line
[formatter_line]
format = %(asctime)s %(levelname)s %(name)s: %(message)s
"""


def settings_for(database_url: str, sink: Sink, *, port: int = 6543) -> dict[str, str]:
    """Settings with which emails go to ``sink``; ``port`` is the server's."""
    relay = {"email.smtp_security": "none"}
    if sink.certificate is not None:
        relay = {
            "email.smtp_security": "tls",
            "email.smtp_ca_file": str(sink.certificate.ca),
            "email.smtp_username": USERNAME,
            "email.smtp_password": PASSWORD,
        }
    return {
        "environment": "development",
        "site.name": "Pillarbox",
        "site.base_url": f"http://localhost:{port}",
        "site.support_email": "help@example.org",
        "database.url": database_url,
        "secret": "a secret that guards nothing but a benchmark",
        "email.debug": "false",
        "email.smtp_server": "127.0.0.1",
        "email.smtp_port": str(sink.port),
        "email.from": "Pillarbox <shop@example.org>",
        "payments.provider": "test",
        **relay,
    }


def write_ini(path: Path, settings: dict[str, str], *, port: int = 6543) -> Path:
    """An .ini file with these settings, for ``pillarbox`` commands. Returns its path."""
    lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
    path.write_text(_INI.format(settings=lines, port=port), encoding="utf-8")
    return path
