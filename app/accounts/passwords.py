"""Check, hash and verify passwords (STANDARDS B5).

Hashing takes 30 ms and 19 MiB. Hash before the first statement of the request's transaction,
because the transaction would hold its locks while it waits.
"""

import os
import re
import threading
import unicodedata
from collections.abc import Collection, Iterable
from contextlib import suppress

import idna
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type
from zxcvbn import zxcvbn

from app.web.translation import _

MAX_CODE_POINTS = 4096
MAX_JUDGED_CODE_POINTS = 32
"""How much of a password zxcvbn sees, because its time grows steeply with the length. The part is
cut once the words of the context are taken out.
"""
MIN_SCORE = 3
"""The lowest accepted zxcvbn score, of 0 to 4. Score 3 means more than 10^8 guesses."""
MIN_CONTEXT_WORD = 4
"""The length from which a word of the context counts inside other words, too."""

# The OWASP Password Storage Cheat Sheet recommends argon2id with 19 MiB, 2 passes and 1 lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
HASHING_SLOTS = max(1, min(3, (os.cpu_count() or 1) - 1))
"""How many passwords are hashed at once. One processor stays free for pages. The number is smaller
than waitress's four threads, so that a server without threads for hashing has one left for pages.
"""
_hashing_slots = threading.BoundedSemaphore(HASHING_SLOTS)
_judging_lock = threading.Lock()


def password_problem(password: str, *, shortest: int, context: Iterable[str]) -> str | None:
    """Why a new password is refused, as a translation string, or None if it is accepted.

    ``shortest`` is in code points. ``context`` holds texts that an attacker would guess first, such
    as the address.
    """
    if len(password) > MAX_CODE_POINTS:
        return _("Use at most ${count} characters.", mapping={"count": MAX_CODE_POINTS})
    password = _normalized(password)
    if len(password) < shortest:
        return _("Use at least ${count} characters.", mapping={"count": shortest})
    words = set(_words(context)) - {""}
    rest = _without(words, password)
    # zxcvbn is pure Python and holds the GIL, so parallel checks would only slow other requests.
    with _judging_lock:
        inputs = [word for word in words if len(word) >= MIN_CONTEXT_WORD]
        score = zxcvbn(rest[:MAX_JUDGED_CODE_POINTS], user_inputs=inputs)["score"] if rest else 0
    if score >= MIN_SCORE:
        return None
    if rest != password:
        return _(
            "Choose a password that does not contain your email address or the name of this shop."
        )
    return _("Choose a password that is harder to guess. This one is repetitive or widely used.")


def hash_password(password: str) -> str:
    """The argon2id hash of a password that ``password_problem`` accepts."""
    with _hashing_slots:
        return _hasher.hash(_normalized(password))


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether ``password`` matches ``password_hash``.

    Pass None when there is no account: the check then fails in the same time as a wrong password.
    """
    if len(password) > MAX_CODE_POINTS:
        return False
    with _hashing_slots:
        try:
            _hasher.verify(password_hash or _dummy_hash, _normalized(password))
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def needs_new_hash(password_hash: str) -> bool:
    """Whether the hash was made with parameters other than the current ones."""
    return _hasher.check_needs_rehash(password_hash)


def _normalized(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _without(words: Collection[str], password: str) -> str:
    """What an attacker who knows the ``words`` has to guess: the password without them and without
    the separators around them. ``""`` when nothing else is in it.
    """
    folded = password.casefold()
    if _is_made_of({_letters(word) for word in words} - {""}, _letters(folded)):
        return ""
    # A short word counts only where it stands alone, because "ann" is a part of "planning".
    long = [word for word in words if len(word) >= MIN_CONTEXT_WORD]
    short = [word for word in words if len(word) < MIN_CONTEXT_WORD]
    pieces = _split(folded, long)
    pieces = [
        part for piece in pieces for part in _split(piece, short, r"(?<![^\W_])", r"(?![^\W_])")
    ]
    if len(pieces) == 1:
        return password
    return " ".join(filter(None, map(_trimmed, pieces)))


def _split(text: str, words: Iterable[str], before: str = "", after: str = "") -> list[str]:
    # The longest word first: "ann.smith" before "smith".
    longest_first = sorted(words, key=len, reverse=True)
    if not longest_first:
        return [text]
    return re.split(f"{before}(?:{'|'.join(map(re.escape, longest_first))}){after}", text)


def _is_made_of(words: Collection[str], text: str) -> bool:
    """Whether ``text`` is nothing but ``words``, one after another."""
    reached = {0}
    for position in range(len(text)):
        if position in reached:
            ends = (position + len(word) for word in words if text.startswith(word, position))
            reached.update(ends)
    return text != "" and len(text) in reached


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _trimmed(text: str) -> str:
    """``text`` without the separators at its ends."""
    return text.strip("".join({c for c in text if not c.isalnum()}))


def _spellings(address: str) -> Iterable[str]:
    """The address as it is, and with its domain in letters and in A-labels."""
    yield address
    local_part, at, domain = address.rpartition("@")
    for spell in (idna.decode, lambda domain: idna.encode(domain, uts46=True).decode()):
        with suppress(idna.IDNAError):
            yield local_part + at + spell(domain)


def _words(context: Iterable[str]) -> Iterable[str]:
    """The texts and their parts, in lower case."""
    for text in (spelling for each in context for spelling in _spellings(each.strip())):
        folded = _normalized(text).casefold()
        yield folded
        # "anna.smith@example.org" also as "anna.smith", "annasmith", "anna" and "smith".
        for part in folded.split("@"):
            words = "".join(c if c.isalnum() else " " for c in part).split()
            yield from [part, "".join(words), *words]


_dummy_hash = _hasher.hash(os.urandom(16).hex())
