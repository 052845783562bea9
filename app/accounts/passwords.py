"""Passwords: which are good enough, and how they are hashed and verified (STANDARDS B5).

Hashing takes 30 ms and 19 MiB. Call it before the request's transaction makes its first statement.
"""

import os
import threading
import unicodedata
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type
from zxcvbn import zxcvbn

from app.web.translation import _

MAX_CODE_POINTS = 4096
MAX_JUDGED_CODE_POINTS = 32
"""zxcvbn's time grows steeply with the length; what begins badly is not judged further."""
MIN_SCORE = 3
"""Of zxcvbn's scores 0 to 4: more than 10^8 guesses."""
MIN_CONTEXT_WORD = 4

# OWASP's password storage cheat sheet: argon2id, 19 MiB, 2 passes, 1 lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
# More hashes at a time than processors would only take memory from each other.
_hashing_slots = threading.BoundedSemaphore(os.cpu_count() or 1)
_judging_lock = threading.Lock()


def password_problem(password: str, *, shortest: int, context: Iterable[str]) -> str | None:
    """Why a new password cannot be taken, as a translation string, or None.

    ``shortest`` counts code points; ``context`` are words that a guesser would try first here, such
    as the address.
    """
    if len(password) > MAX_CODE_POINTS:
        return _(
            "Use ${count} characters or fewer",
            mapping={"count": MAX_CODE_POINTS},
        )
    password = _normalized(password)
    if len(password) < shortest:
        return _(
            "Use ${count} characters or more; three or four words make a good password",
            mapping={"count": shortest},
        )
    words = [word for word in _words(context) if len(word) >= MIN_CONTEXT_WORD]
    # zxcvbn is pure Python: several at a time would only slow the other requests down.
    with _judging_lock:
        score = zxcvbn(password[:MAX_JUDGED_CODE_POINTS], user_inputs=words)["score"]
    if score >= MIN_SCORE:
        return None
    if any(word in password.casefold() for word in words):
        return _("Choose a password without your email address or the name of this shop in it")
    return _(
        "Choose a password that is harder to guess; this one repeats itself or is used by many"
        " people"
    )


def hash_password(password: str) -> str:
    """The argon2id hash of a password that ``password_problem`` lets pass."""
    with _hashing_slots:
        return _hasher.hash(_normalized(password))


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password is the hashed one.

    Takes the same time when there is no account, and so no hash.
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
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _normalized(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _words(context: Iterable[str]) -> Iterable[str]:
    for text in context:
        folded = text.casefold()
        yield folded
        # "anna.smith@example.org" also as "anna.smith", "annasmith", "anna" and "smith".
        for part in folded.split("@"):
            words = "".join(c if c.isalnum() else " " for c in part).split()
            yield from [part, "".join(words), *words]


_dummy_hash = _hasher.hash(os.urandom(16).hex())
