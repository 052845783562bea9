"""Order numbers: random, easy to read out and to type, with a check character (STANDARDS D7).

An order number is eleven random characters of Crockford's base32 (55 bits, so it cannot be guessed)
and a check character. The check character is the number modulo 37, which detects every wrong
character and every swap of two neighbours. Crockford's base32 has five extra symbols for the
remainders from 32 to 36. A number with such a remainder is drawn again, so that order numbers have
letters and digits only.
"""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DIGITS = 11
GROUP = 4
CHECK_MODULUS = 37

_LOOK_ALIKES = str.maketrans("OIL", "011")


def new_order_number() -> str:
    """A new random order number such as ``7K3M-9QXW-2TBC``."""
    while True:
        digits = "".join(secrets.choice(ALPHABET) for _ in range(DIGITS))
        remainder = _remainder(digits)
        if remainder < len(ALPHABET):
            return _grouped(digits + ALPHABET[remainder])


def read_order_number(text: str) -> str | None:
    """The order number in its standard form, or None if ``text`` is not an order number.

    As Crockford specifies, it accepts lower case, missing hyphens, and the look-alikes O, I and L.
    """
    characters = text.upper().replace("-", "").translate(_LOOK_ALIKES)
    if len(characters) != DIGITS + 1 or not set(characters) <= set(ALPHABET):
        return None
    if ALPHABET.index(characters[-1]) != _remainder(characters[:-1]):
        return None
    return _grouped(characters)


def _remainder(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * len(ALPHABET) + ALPHABET.index(digit)
    return value % CHECK_MODULUS


def _grouped(characters: str) -> str:
    return "-".join(characters[start : start + GROUP] for start in range(0, len(characters), GROUP))
