"""Order numbers: random, safe to read out and to type, with a check character (STANDARDS D7).

An order number is eleven random characters of Crockford's base32 (55 bits, so nobody guesses one)
and a check character: the number's remainder by 37, which catches every single wrong character and
every swap of neighbours. Crockford has five extra symbols for the remainders from 32 on; a number
that would need one is drawn again, so that the number stays letters and digits.
"""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DIGITS = 11
GROUP = 4
CHECK_MODULUS = 37

_MEANT = str.maketrans("OIL", "011")


def new_order_number() -> str:
    """A fresh order number such as ``7K3M-9QXW-2TBC``."""
    while True:
        digits = "".join(secrets.choice(ALPHABET) for _ in range(DIGITS))
        remainder = _remainder(digits)
        if remainder < len(ALPHABET):
            return _grouped(digits + ALPHABET[remainder])


def read_order_number(text: str) -> str | None:
    """The order number that ``text`` means, or None when it is not one.

    Small letters, missing hyphens and the look-alikes O, I and L are understood, as Crockford asks.
    """
    characters = text.upper().replace("-", "").translate(_MEANT)
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
