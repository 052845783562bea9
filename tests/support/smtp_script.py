"""The script of a relay that misbehaves: what goes wrong, at which phase of the dialogue, and how.
A ``ScriptedSMTP`` follows it.
"""

from dataclasses import dataclass
from enum import StrEnum

STALL = "stall"
"""Says nothing more, ever."""
DROP = "drop"
"""Closes the connection."""
GARBAGE = "garbage"
"""Says something that is no SMTP, and nothing more."""
SLOW = "slow"
"""Gives the right answer, one octet at a time."""


class At(StrEnum):
    """The phases, in their order."""

    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    TLS = "tls"
    """In place of the handshake; a reply has no place here."""
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    """In the middle of it, with most of a large message still to come."""
    DOT = "dot"
    RSET = "rset"
    """After a refusal."""
    NOOP = "noop"
    """After idling."""
    QUIT = "quit"


@dataclass(frozen=True)
class Fault:
    """What goes wrong: at which phase, how, in which connection, and at which time that this
    connection comes to the phase. ``how`` is one of the words above, or a reply such as
    ``451 4.3.0 later``.
    """

    at: At
    how: str
    connection: int = 1
    time: int = 1
    taken: bool = False
    """At the dot: the message was taken before things went wrong."""
