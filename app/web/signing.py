"""Keys derived from the one secret, and short texts signed with them."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256


def derived_key(secret: str, purpose: str) -> bytes:
    """A 256-bit key for one purpose.

    Knowing one of these keys tells nothing of the secret or of another key.
    """
    return hmac.digest(secret.encode(), b"pillarbox:" + purpose.encode(), sha256)


def sign(key: bytes, content: bytes) -> str:
    """``content`` with its HMAC-SHA256 before it, as text that fits into a cookie."""
    return urlsafe_b64encode(hmac.digest(key, content, sha256) + content).decode().rstrip("=")


def unsign(key: bytes, signed: str) -> bytes | None:
    """The content of ``signed``, or None when it was not signed with ``key``."""
    try:
        joined = urlsafe_b64decode(signed.encode("ascii") + b"=" * (-len(signed) % 4))
    except ValueError:
        return None
    signature, content = joined[: sha256().digest_size], joined[sha256().digest_size :]
    return content if hmac.compare_digest(signature, hmac.digest(key, content, sha256)) else None
