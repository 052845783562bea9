"""Sums and VAT agree to the cent, whatever is in the basket (STANDARDS D6)."""

import random
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.shop.emails import ReceiptLine
from app.shop.money import Tax, split, subtract, totals, vat_in

ALL_RATES = [0, 250, 500, 700, 770, 1900, 2000, 2700]
RATES = st.sampled_from(ALL_RATES)
LINES = st.builds(
    ReceiptLine,
    name=st.just(""),
    quantity=st.integers(1, 99),
    unit_price=st.integers(0, 1_000_000),
    vat_rate=RATES,
)


@given(st.lists(LINES, max_size=60))
def test_lines_taxes_and_total_agree_to_the_cent(lines: list[ReceiptLine]) -> None:
    sums = totals(lines)

    assert sums.total == sum(line.total for line in lines)
    assert sums.total == sum(tax.gross for tax in sums.taxes)
    assert sums.total == sums.net + sums.vat
    assert sums.vat == sum(tax.vat for tax in sums.taxes)
    assert sums.net == sum(tax.net for tax in sums.taxes)
    assert [tax.rate for tax in sums.taxes] == sorted({line.vat_rate for line in lines})


@given(st.lists(LINES, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_sum(lines: list[ReceiptLine], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(lines)
    random.shuffle(shuffled)

    assert totals(shuffled) == totals(lines)


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_vat_is_the_exact_share_rounded_half_up(gross: int, rate: int) -> None:
    exact = Decimal(gross) * rate / (10_000 + rate)
    # A remainder beyond Decimal's 28 digits cannot matter: the amounts have 12 and the divisor 5.
    assert vat_in(gross, rate) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("gross", "rate", "vat"),
    [
        (2400, 1900, 383),
        (1070, 700, 70),
        (999, 0, 0),
        (0, 1900, 0),
        # 3 at 2000 is 0.5 exactly: half goes up.
        (3, 2000, 1),
    ],
)
def test_vat_of_known_amounts(gross: int, rate: int, vat: int) -> None:
    assert vat_in(gross, rate) == vat


def test_vat_is_rounded_once_per_rate_and_not_line_by_line() -> None:
    three_small_ones = [ReceiptLine("", 1, 5, 1900)] * 3

    assert totals(three_small_ones).taxes == (Tax(1900, 15, 2),)
    assert sum(vat_in(line.total, line.vat_rate) for line in three_small_ones) == 3


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        vat_in(-1, 1900)


def test_ten_thousand_baskets_and_their_partial_refunds_agree_to_the_cent() -> None:
    dice = random.Random(2026)  # noqa: S311 (it protects nothing)
    for _ in range(10_000):
        lines = [
            ReceiptLine("", dice.randint(1, 99), dice.randint(0, 100_000), dice.choice(ALL_RATES))
            for _ in range(dice.randint(1, 12))
        ]
        sums = totals(lines)
        assert sums.total == sum(line.total for line in lines) == sums.net + sums.vat
        left, given_back = sums.taxes, []
        while amount := sum(tax.gross for tax in left):
            part = split(dice.randint(1, amount), left)
            assert all(0 <= tax.vat <= tax.gross for tax in part)
            given_back += part
            left = subtract(left, part)
            assert all(tax.gross >= 0 for tax in left)
        assert sum(tax.gross for tax in given_back) == sums.total
        for tax in sums.taxes:
            of_rate = [part for part in given_back if part.rate == tax.rate]
            assert sum(part.gross for part in of_rate) == tax.gross
            assert sum(part.vat for part in of_rate) == tax.vat
