"""The login at the relay (SMTP AUTH, RFC 4954), inside TLS only: with a password, or with an OAuth
2.0 access token.
"""

import base64
import ssl

from app.mail.smtp.connection import Connection, SessionFailed

_LONGEST_COMMAND = 512
"""The most octets of an AUTH command. Longer credentials wait for the relay's challenge (RFC 4954
4)."""
_UNKNOWN_MECHANISM = 504


def log_in(connection: Connection, username: str, password: str) -> None:
    """Log in by AUTH PLAIN (RFC 4616), or else by AUTH LOGIN, in UTF-8. Other mechanisms protect
    the password no better than verified TLS does.

    Raises ``SessionFailed`` when the connection has no TLS, when the relay offers neither
    mechanism, and when it refuses the login.
    """
    _authenticate(
        connection,
        password,
        {"PLAIN": [f"\0{username}\0{password}"], "LOGIN": [username, password]},
    )


def log_in_with_token(connection: Connection, username: str, token: str) -> None:
    """Log in by AUTH XOAUTH2, or else by AUTH OAUTHBEARER (RFC 7628).

    Raises ``SessionFailed`` as ``log_in`` does.
    """
    host, port = connection.peer
    name = username.replace("=", "=3D").replace(",", "=2C")  # as RFC 5801 4 writes a name
    fields = [f"n,a={name},", f"host={host}", f"port={port}", f"auth=Bearer {token}", "", ""]
    _authenticate(
        connection,
        token,
        # A relay that refuses the token explains it in a challenge. The second answer ends that,
        # and the relay's reply follows.
        {
            "XOAUTH2": [f"user={username}\1auth=Bearer {token}\1\1", ""],
            "OAUTHBEARER": ["\1".join(fields), "\1"],
        },
    )


def _authenticate(connection: Connection, secret: str, mechanisms: dict[str, list[str]]) -> None:
    """Log in by the first of ``mechanisms`` that the relay offers and knows. Each has the client's
    answers to the relay's challenges, in their order.
    """
    if not isinstance(connection.sock, ssl.SSLSocket):
        raise SessionFailed("credentials are never sent without TLS")
    offered = connection.esmtp_features.get("auth", "").upper().split()
    reply: tuple[int, bytes] | None = None
    for mechanism, answers in mechanisms.items():
        if mechanism in offered:
            reply = _converse(connection, mechanism, [_base64(answer) for answer in answers])
            if reply[0] != _UNKNOWN_MECHANISM:
                break
    if reply is None:
        raise SessionFailed(f"the relay offers neither AUTH {' nor AUTH '.join(mechanisms)}")
    if reply[0] != 235:
        sent = [_base64(answer) for answers in mechanisms.values() for answer in answers]
        raise SessionFailed("the relay refused the login", _without([secret, *sent], reply))


def _converse(connection: Connection, mechanism: str, answers: list[str]) -> tuple[int, bytes]:
    command = f"AUTH {mechanism} {answers[0]}"
    # AUTH LOGIN has no place for a first answer in the command.
    if mechanism != "LOGIN" and len(command) + len("\r\n") <= _LONGEST_COMMAND:
        reply, answers = connection.docmd(command), answers[1:]
    else:
        reply = connection.docmd("AUTH", mechanism)
    for answer in answers:
        if reply[0] // 100 != 3:
            break
        reply = connection.docmd(answer)
    return reply


def _without(secrets: list[str], reply: tuple[int, bytes]) -> tuple[int, bytes]:
    """The reply without these secrets. A relay may quote what it refuses, and its reply is stored
    and shown.
    """
    code, octets = reply
    for secret in filter(None, secrets):
        octets = octets.replace(secret.encode(), b"<...>")
    return code, octets


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
