"""The settings with which Pillarbox runs in the benchmark: emails go out, to a sink."""

from benchmarks.sink import Sink
from tests.support.shop_settings import shop_settings

EVENTS_SECRET = "the secret of the events' webhook"
USERNAME, PASSWORD = "shop", "the sink takes any password"


def settings_for(database_url: str, sink: Sink, *, port: int = 6543) -> dict[str, str]:
    """Settings with which emails go to ``sink``; ``port`` is the server's."""
    relay = {
        "email.debug": "false",
        "email.smtp_server": "127.0.0.1",
        "email.smtp_port": str(sink.port),
        "email.smtp_security": "none",
        # So every email carries its tag, in a header and in the envelope sender.
        "email.events": "postmark",
        "email.events_secret": EVENTS_SECRET,
        "email.return_path": "bounces+{tag}@example.org",
    }
    if sink.certificate is not None:
        relay |= {
            "email.smtp_security": "tls",
            "email.smtp_ca_file": str(sink.certificate.ca),
            "email.smtp_username": USERNAME,
            "email.smtp_password": PASSWORD,
        }
    return shop_settings(database_url, base_url=f"http://localhost:{port}") | relay
