"""The script of a relay that misbehaves: what goes wrong, at which phase of the dialogue, and how.
A ``ScriptedSMTP`` follows it.
"""

from dataclasses import dataclass
from enum import StrEnum

STALL = "stall"
"""The relay sends and reads nothing more."""
DROP = "drop"
"""The relay closes the connection."""
GARBAGE = "garbage"
"""The relay sends something that is not SMTP, and then nothing more."""
SLOW = "slow"
"""The relay gives the right reply, one octet at a time."""


class At(StrEnum):
    """The phases of the dialogue, in their order."""

    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    TLS = "tls"
    """In place of the handshake, where no reply can be given."""
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    """After the first line, with most of a large message still to come."""
    DOT = "dot"
    RSET = "rset"
    """After a refusal."""
    NOOP = "noop"
    """After idling."""
    QUIT = "quit"


@dataclass(frozen=True)
class Fault:
    """What goes wrong at a phase. ``how`` is one of the words above, or a reply such as ``451 4.3.0
    later``. ``connection`` counts from 1, and so does ``time``, the connection's visits to the
    phase. 0 stands for every one.
    """

    at: At
    how: str
    connection: int = 1
    time: int = 1
    taken: bool = False
    """At the dot: the relay takes the message before the fault."""
