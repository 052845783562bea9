"""Reads and checks the shop's file. Reads no database and changes nothing."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.shop.currencies import LEAST_CHARGE
from app.shop.shop_file.content import ShopFile
from app.shop.shop_file.problems import BadShopFile, Problems, quoted
from app.shop.shop_file.products import read_products
from app.shop.shop_file.rates import read_rates
from app.shop.shop_file.seller import read_seller
from app.shop.shop_file.tables import Table

BIGGEST_TOML = 5_000_000
"""Octets."""
CURRENCIES = ", ".join(LEAST_CHARGE)
_WHERE_IN_TOML = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def parse(path: Path) -> ShopFile:
    """The shop that the file ``path`` describes. Paths in it begin at its folder.

    Raises ``BadShopFile`` with every problem.
    """
    text = _read(path)
    values = _load(path, text)
    problems = Problems(path, text)
    top = Table(problems, values, (), "")
    top.allow(("currency", "seller", "tax", "product"))
    currency = top.text("currency", 100)
    if currency and currency not in LEAST_CHARGE:
        top.problem("currency", f"is {quoted(currency)}. Write one of {CURRENCIES}.")
        currency = ""
    folder = path.parent
    if "seller" in top.values:
        seller = read_seller(Table(problems, top.values["seller"], ("seller",), "seller"), folder)
    else:
        problems.add((), "[seller] is missing. Add it as docs/shop.md shows.")
    rates = read_rates(Table(problems, top.values.get("tax", {}), ("tax",), "tax"))
    products = read_products(top, folder, currency)
    problems.raise_any()
    return ShopFile(currency, seller, tuple(sorted(rates)), tuple(products))


def _read(path: Path) -> str:
    problems = Problems(path)
    try:
        with path.open("rb") as file:
            octets = file.read(BIGGEST_TOML + 1)
        if len(octets) > BIGGEST_TOML:
            problems.add((), f"it has more than {BIGGEST_TOML:,} octets. Move texts out of it.")
            problems.raise_any()
        # Some editors begin a file with a byte order mark.
        text = octets.decode("utf-8-sig")
    except OSError as error:
        raise BadShopFile(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.add_in_line(line, "it is not text in UTF-8. Save it as UTF-8 in your editor.")
    problems.raise_any()
    return text


def _load(path: Path, text: str) -> dict[str, Any]:
    problems = Problems(path)
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        problems.add((), "its arrays or tables are nested too deep. Write it as in docs/shop.md.")
    except (ValueError, ArithmeticError) as error:
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number is too big"
        where = _WHERE_IN_TOML.search(said)
        line = int(where[1]) if where and where[1] else 0
        if where and not line:
            line = text.count("\n") + 1
        said = _WHERE_IN_TOML.sub("", said)
        problems.add_in_line(
            line, f"it is not TOML: {said}. Compare the line, and the one above it, with toml.io."
        )
    problems.raise_any()
    raise AssertionError
