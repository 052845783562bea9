"""Reply: what the relay said, and its text without addresses, for the log and for comparison."""

import re
from typing import NamedTuple

_ENHANCED = r"\b[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![.0-9])"
_REMOTE_WORDS = re.compile(
    r"\b(said|responded|replied|answered)( with)?:.*|\bcall(out|back) verification failed:.*",
    re.IGNORECASE | re.DOTALL,
)
"""What a recipient's own server said, which the relay quotes. An attacker may have written it."""
_NAMES = re.compile(r"<[^<>]*>|\"[^\"]*\"|'[^'\s]*@[^']*'|\S*@\S*")


class Reply(NamedTuple):
    """One reply: its code, 200 to 599, and the octets of its lines, joined by line feeds."""

    code: int
    octets: bytes

    @property
    def text(self) -> str:
        """The text as it can be stored: one line, printable, at most 1000 characters."""
        text = self.octets.decode("utf-8", "replace")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:1000]

    @property
    def enhanced_code(self) -> str | None:
        """The enhanced status code, such as ``4.2.1`` (RFC 3463), if the text begins with one."""
        match = re.match(_ENHANCED, self.text)
        return match[0] if match else None

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


def without_addresses(text: str) -> str:
    """The text of a reply as a log may hold it: what stands in angle brackets or quotes, and each
    address, is left out.
    """
    return _NAMES.sub("<...>", text)


def fingerprint(reply: str) -> str:
    """The words of a reply that do not differ from email to email: without addresses, numbers and
    identifiers. Two refusals with one fingerprint are in the same words.
    """
    words = re.findall(r"[^\W_]+", plain_words(reply))
    return " ".join(word for word in words if word.isalpha())


def plain_words(text: str) -> str:
    """The text in lower case, without addresses, paths of links and enhanced codes."""
    # An address may hold any word, such as "rate" or "quota", and so may the path of a link.
    text = _REMOTE_WORDS.sub(" ", text)
    text = re.sub(r"https?://([^/\s]*)\S*", r" \1 ", text)
    return re.sub(_ENHANCED, " ", _NAMES.sub("<>", text)).lower()
