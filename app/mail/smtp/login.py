"""The login at the relay (SMTP AUTH, RFC 4954), inside TLS only."""

import base64
import ssl

from app.mail.smtp.connection import Connection, SessionFailed, expect


def log_in(connection: Connection, username: str, password: str) -> None:
    """Log in by AUTH PLAIN (RFC 4616), or else by AUTH LOGIN, in UTF-8. Other mechanisms protect
    the password no better than verified TLS does.

    Raises ``SessionFailed`` when the connection has no TLS, when the relay offers neither
    mechanism, and when it refuses the login.
    """
    if not isinstance(connection.sock, ssl.SSLSocket):
        raise SessionFailed("a password is never sent without TLS")
    mechanisms = connection.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in mechanisms:
        reply = connection.docmd("AUTH", "PLAIN " + _base64(f"\0{username}\0{password}"))
    elif "LOGIN" in mechanisms:
        expect(connection.docmd("AUTH", "LOGIN"), 3)
        expect(connection.docmd(_base64(username)), 3)
        reply = connection.docmd(_base64(password))
    else:
        raise SessionFailed("the relay offers neither AUTH PLAIN nor AUTH LOGIN")
    if reply[0] != 235:
        raise SessionFailed("the relay refused the login", reply)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
