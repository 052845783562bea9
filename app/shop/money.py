"""Totals and VAT of an order, in whole minor units (cents). Prices include VAT.

VAT is computed from the gross sum of each rate on the whole document, and rounded half up, so that
lines, taxes and total agree to the cent (STANDARDS D6). Rounding each line would not: three lines
of 0.05 at 19% contain 0.02 VAT, not 0.03.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

WHOLE = 10_000
"""100% in basis points, the unit of VAT rates: 1900 is 19%."""


class Line(Protocol):
    """A line of a basket or receipt: ``total`` in minor units including VAT."""

    @property
    def vat_rate(self) -> int: ...

    @property
    def total(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Tax:
    """The sums at one VAT rate, in minor units: ``gross`` is ``net`` plus ``vat``."""

    rate: int
    gross: int
    vat: int

    @property
    def net(self) -> int:
        """The amount without VAT, in minor units."""
        return self.gross - self.vat


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a document. ``taxes`` has one entry for each rate, the lowest rate first."""

    taxes: tuple[Tax, ...]

    @property
    def total(self) -> int:
        """What the customer pays, in minor units."""
        return sum(tax.gross for tax in self.taxes)

    @property
    def vat(self) -> int:
        """All VAT in the total, in minor units."""
        return sum(tax.vat for tax in self.taxes)

    @property
    def net(self) -> int:
        """The total without VAT, in minor units."""
        return self.total - self.vat


def vat_in(gross: int, rate: int) -> int:
    """The VAT in the amount ``gross`` at ``rate`` basis points, rounded half up.

    Raises ``ValueError`` if either is negative.
    """
    if gross < 0 or rate < 0:
        raise ValueError(f"gross={gross} and rate={rate} must not be negative")
    divisor = WHOLE + rate
    return (2 * gross * rate + divisor) // (2 * divisor)


def split(amount: int, taxes: Sequence[Tax]) -> tuple[Tax, ...]:
    """The part of ``taxes`` that a refund of ``amount`` minor units gives back.

    ``taxes`` is what earlier refunds left of an order. Each rate gives in proportion to what is
    left of it; the minor units that remain go to the largest fractions, of equal ones to the lowest
    rate. A rate keeps the VAT that is in what it keeps. So several refunds that give all back give
    back exactly the VAT of the receipt. A rate that gives nothing is not in the result.

    Raises ``ValueError`` if ``amount`` is negative or more than is left.
    """
    left = sum(tax.gross for tax in taxes)
    if not 0 <= amount <= left:
        raise ValueError(f"{amount} cannot be taken from {left}")
    if not left:
        return ()
    shares = [divmod(amount * tax.gross, left) for tax in taxes]
    parts = [whole for whole, _ in shares]
    largest_first = sorted(range(len(taxes)), key=lambda i: (-shares[i][1], taxes[i].rate))
    for i in largest_first[: amount - sum(parts)]:
        parts[i] += 1
    return tuple(
        Tax(tax.rate, part, _vat_of(part, tax))
        for tax, part in zip(taxes, parts, strict=True)
        if part
    )


def _vat_of(part: int, tax: Tax) -> int:
    vat = tax.vat - vat_in(tax.gross - part, tax.rate)
    # When a refund is undone, a cent of VAT can be left more or less than what is left contains.
    return min(max(vat, 0), part)


def subtract(taxes: Iterable[Tax], taken: Iterable[Tax]) -> tuple[Tax, ...]:
    """What is left of ``taxes`` at each rate after ``taken`` was taken from them."""
    gross: defaultdict[int, int] = defaultdict(int)
    vat: defaultdict[int, int] = defaultdict(int)
    for tax in taken:
        gross[tax.rate] += tax.gross
        vat[tax.rate] += tax.vat
    return tuple(
        Tax(tax.rate, tax.gross - gross[tax.rate], tax.vat - vat[tax.rate]) for tax in taxes
    )


def totals(lines: Iterable[Line]) -> Totals:
    """The sums of a document with these lines."""
    gross: defaultdict[int, int] = defaultdict(int)
    for line in lines:
        gross[line.vat_rate] += line.total
    return Totals(
        tuple(Tax(rate, amount, vat_in(amount, rate)) for rate, amount in sorted(gross.items()))
    )
