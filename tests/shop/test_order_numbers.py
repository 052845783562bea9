"""Order numbers can be read out and typed, and detect typing errors (STANDARDS D7)."""

import pytest

from app.shop.order_numbers import ALPHABET, new_order_number, read_order_number


def test_an_order_number_reads_back_as_itself() -> None:
    for number in (new_order_number() for _ in range(500)):
        assert read_order_number(number) == number
        assert len(number) == 14
        assert number.count("-") == 2


def test_order_numbers_do_not_repeat() -> None:
    assert len({new_order_number() for _ in range(2000)}) == 2000


def test_small_letters_missing_hyphens_and_look_alikes_are_understood() -> None:
    number = next(n for n in iter(new_order_number, "") if "0" in n and "1" in n)

    assert read_order_number(number.lower()) == number
    assert read_order_number(number.replace("-", "")) == number
    assert read_order_number(number.replace("0", "O").replace("1", "l")) == number


def test_any_single_wrong_character_is_noticed() -> None:
    number = new_order_number().replace("-", "")

    for place, right in enumerate(number):
        for wrong in set(ALPHABET) - {right}:
            assert read_order_number(number[:place] + wrong + number[place + 1 :]) is None


def test_any_swap_of_neighbours_is_noticed() -> None:
    number = new_order_number().replace("-", "")

    for place in range(len(number) - 1):
        swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
        assert swapped == number or read_order_number(swapped) is None


@pytest.mark.parametrize(
    "text",
    ["", "1", "../../etc/passwd", "7K3M-9QXW-2TB", "UUUU-UUUU-UUUU", "7K3M 9QXW 2TBC", "٣" * 12],
)
def test_what_is_no_order_number_is_refused(text: str) -> None:
    assert read_order_number(text) is None
