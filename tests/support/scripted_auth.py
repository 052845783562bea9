"""AUTH as a relay sees it (RFC 4954): what the client says in each mechanism, and whether it is
right.
"""

import base64
import binascii
import json
from collections.abc import Callable

_TOKEN_IS_BAD = base64.b64encode(
    json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"}).encode()
).decode()


def authenticate(
    line: str,
    *,
    challenge: Callable[[str], str],
    users: dict[str, str],
    tokens: set[str],
    peer: tuple[str, int],
) -> str:
    """The reply to the AUTH command ``line``. ``challenge`` sends a challenge and returns the
    client's answer. ``peer`` is how the client names this relay.
    """
    _, mechanism, *initial = line.split(" ")
    if len(line) + 2 > 512:
        return "500 5.5.6 line too long"
    if mechanism == "LOGIN":
        name, password = (_decoded(challenge(text)) for text in ("VXNlcm5hbWU6", "UGFzc3dvcmQ6"))
        return _verdict(users.get(name) == password)
    said = _decoded(initial[0] if initial else challenge(""))
    if mechanism == "PLAIN":
        _, name, password = said.split("\0")
        return _verdict(users.get(name) == password)
    host, port = peer
    accepted = {
        "XOAUTH2": lambda user, token: f"user={user}\1auth=Bearer {token}\1\1",
        "OAUTHBEARER": lambda user, token: (
            f"n,a={user},\1host={host}\1port={port}\1auth=Bearer {token}\1\1"
        ),
    }[mechanism]
    if said in {accepted(user, token) for user in users for token in tokens}:
        return _verdict(True)
    # The client has to end a refused exchange: XOAUTH2 with nothing, OAUTHBEARER with ^A.
    ending = challenge(_TOKEN_IS_BAD)
    if ending != {"XOAUTH2": "", "OAUTHBEARER": "AQ=="}[mechanism]:
        return "501 5.5.2 that does not end the exchange"
    return f"535 5.7.3 Authentication unsuccessful for {initial} {said!r}"


def _verdict(is_right: bool) -> str:
    return "235 2.7.0 welcome" if is_right else "535 5.7.8 wrong"


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
