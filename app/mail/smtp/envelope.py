"""Envelope: the addresses of MAIL FROM and RCPT TO, and the dialogue in which the relay takes or
refuses them.
"""

import smtplib
from collections.abc import Mapping
from dataclasses import dataclass

from app.mail.smtp.connection import Connection, describe, expect
from app.mail.smtp.replies import Outcome, Phase, Verdict, verdict_of


@dataclass(frozen=True, slots=True)
class Envelope:
    """The sender, the recipient, and the size of the message in octets.

    ``extensions`` below are those that the relay offers in its reply to EHLO: lower-case names with
    their parameters.
    """

    sender: str
    recipient: str
    size: int

    @property
    def needs_utf8(self) -> bool:
        return not (self.sender + self.recipient).isascii()

    def problem(self, extensions: Mapping[str, str]) -> str | None:
        """Why a relay with these extensions can never take the message (RFC 1870, RFC 6531)."""
        largest = extensions.get("size", "")
        if largest.isdigit() and 0 < int(largest) < self.size:
            return f"the message has {self.size} octets and the relay takes {largest}"
        if self.needs_utf8 and "smtputf8" not in extensions:
            return "the address has letters beyond ASCII and the relay does not offer SMTPUTF8"
        return None

    def commands(self, extensions: Mapping[str, str]) -> dict[Phase, bytes]:
        """The commands that come before the message, in their order."""
        options = ""
        if "size" in extensions:
            options += f" SIZE={self.size}"
        if self.needs_utf8:
            options += " BODY=8BITMIME SMTPUTF8"
        return {
            Phase.MAIL: f"MAIL FROM:<{self.sender}>{options}\r\n".encode(),
            Phase.RCPT: f"RCPT TO:<{self.recipient}>\r\n".encode(),
            Phase.DATA: b"DATA\r\n",
        }


def offer_envelope(
    connection: Connection, envelope: Envelope, seconds: float, *, is_sent: bool
) -> Verdict | None:
    """Send the envelope and read the replies. With PIPELINING all commands are sent at once.

    ``seconds`` is the time to send the commands. ``is_sent``: they were sent before, so only the
    replies are read. Returns None if the relay waits for the message, and a verdict if it does not.
    After an error and after a verdict that ends it, the connection is closed.
    """
    commands = envelope.commands(connection.esmtp_features)
    phase = Phase.MAIL
    verdict: Verdict | None = None
    try:
        is_pipelined = connection.has_extn("pipelining")
        if is_pipelined and not is_sent:
            connection.send_all(b"".join(commands.values()), seconds)
        for phase, command in commands.items():
            if not is_pipelined:
                connection.send_all(command, seconds)
            reply = connection.getreply()
            if reply.code // 100 != (3 if phase is Phase.DATA else 2):
                if reply.code < 400:
                    # It belongs to another command, so no later reply can be trusted either.
                    raise smtplib.SMTPServerDisconnected("the relay's replies are out of step")
                verdict = verdict or verdict_of(reply, phase)
                if verdict.outcome.rests_relay or not is_pipelined:
                    break
            elif phase is Phase.DATA and verdict is not None:
                # The relay refused the recipient and still waits for a message: an empty one ends
                # the transaction (RFC 2920 3.1).
                connection.send_all(b".\r\n", seconds)
                connection.getreply()
        if verdict is not None and not verdict.ends_connection:
            expect(connection.docmd("RSET"), 2)
    except OSError as error:
        verdict = verdict or Verdict(Outcome.LOST, phase, describe(error))
        connection.close()
    if verdict is not None and verdict.ends_connection:
        connection.close()
    return verdict
