"""Sends an email as tutorials do: builds an ``EmailMessage``, connects, sends, and hangs up."""

import smtplib
import ssl
from email.message import EmailMessage

from benchmarks.settings import PASSWORD, USERNAME

SENDER = "Pillarbox <shop@example.org>"


def send(
    port: int, recipient: str, subject: str, text: str, html: str, ca_file: str | None = None
) -> None:
    """Send one email over a connection of its own; with ``ca_file`` over TLS, with a login."""
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = recipient
    message["Subject"] = subject
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    if ca_file is None:
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.send_message(message)
    else:
        context = ssl.create_default_context(cafile=ca_file)
        with smtplib.SMTP_SSL("127.0.0.1", port, context=context) as smtp:
            smtp.login(USERNAME, PASSWORD)
            smtp.send_message(message)
