"""Reports as email servers and programs send them, in ``report_samples``: each is about one email,
or altered by a test.
"""

from pathlib import Path
from typing import Any

from app.mail.outbox.tables import OutboxEmail

SAMPLES = Path(__file__).parent / "report_samples"


def report(name: str, registry: Any, email: OutboxEmail, **changes: str) -> bytes:
    """The sample about ``email``. ``changes`` replace its tag, message_id or recipient."""
    values = {
        "tag": registry.email_tags.of(email.id),
        "message_id": email.message_id,
        "recipient": email.recipient,
        **changes,
    }
    text = (SAMPLES / f"{name}.eml").read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    return text.encode()
