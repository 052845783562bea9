"""Reads ``[[product]]``: what is sold."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from babel.numbers import get_currency_precision

from app.shop.currencies import MOST_CHARGE
from app.shop.shop_file.content import NO_LANGUAGE, PICTURE_TYPES, ProductEntry, ProductTexts
from app.shop.shop_file.problems import quoted, suggestion
from app.shop.shop_file.tables import Table

KEYS = ("slug", "price", "tax", "file", "format", "picture", "name", "description")
BIGGEST_PICTURE = 5_000_000
"""Octets."""
_SLUG = re.compile(r"[a-z0-9-]{1,64}")


def read_products(top: Table, folder: Path, currency: str) -> list[ProductEntry]:
    """Every ``[[product]]`` of the file. Paths begin at ``folder``. ``currency`` is empty when the
    file has none that is known.
    """
    values = top.values.get("product", [])
    if not isinstance(values, list):
        top.problem("product", "is no list. Begin each product with [[product]].")
        return []
    classes = top.values.get("tax")
    classes = classes if isinstance(classes, dict) else {}
    products: list[ProductEntry] = []
    first: dict[str, int] = {}
    for i, entry in enumerate(values):
        slug = entry.get("slug") if isinstance(entry, dict) else None
        label = f"product {i + 1}" + (f" ({slug})" if _is_slug(slug) else "")
        table = Table(top.problems, entry, ("product", i), label)
        product = _product(table, folder, currency, classes)
        if product.slug and product.slug in first:
            table.problem("slug", f"is that of product {first[product.slug]} too. Change one.")
        first.setdefault(product.slug, i + 1)
        products.append(product)
    return products


def _is_slug(slug: object) -> bool:
    return isinstance(slug, str) and _SLUG.fullmatch(slug) is not None


def _product(table: Table, folder: Path, currency: str, classes: dict[str, Any]) -> ProductEntry:
    table.allow(KEYS)
    slug = table.text("slug", 1000)
    if slug and not _is_slug(slug):
        table.problem("slug", f"is {quoted(slug)}. Use a-z, 0-9 and -, 64 characters at most.")
    tax_class = table.text("tax", 100)
    if tax_class and tax_class not in classes:
        cure = suggestion(tax_class, classes) or f" Add [tax.{tax_class}] with a rate."
        table.problem("tax", f"is {quoted(tax_class)}, a class without any rate.{cure}")
    file = table.file("file", folder)
    picture = table.file("picture", folder, is_optional=True)
    if picture and picture.suffix.lower() not in PICTURE_TYPES:
        ends = ", ".join(PICTURE_TYPES)
        table.problem("picture", f"is {quoted(picture.name)}. Its name must end in one of {ends}.")
        picture = None
    elif picture and picture.stat().st_size > BIGGEST_PICTURE:
        table.problem("picture", f"has over {BIGGEST_PICTURE:,} octets. Make it smaller.")
    return ProductEntry(
        slug=slug,
        price=_price(table, currency),
        tax_class=tax_class,
        file=file or Path(),
        picture=picture,
        texts=_product_texts(table),
    )


def _price(table: Table, currency: str) -> int:
    """The price in minor units. Without a currency nothing can be said of its decimals."""
    places = get_currency_precision(currency or "EUR")
    example = f'"{Decimal(12):.{places}f}"'
    price = table.values.get("price")
    if price is None:
        table.problem("price", f"is missing. Add price = {example}.")
    elif not isinstance(price, str):
        table.problem("price", f"is {quoted(price)} without quotes. Write it as in {example}.")
    elif price.strip().startswith("-"):
        table.problem("price", f"is {quoted(price)}, which is negative. Write 0 or more.")
    elif currency:
        decimals = rf"\.[0-9]{{{places}}}" if places else ""
        if not re.fullmatch(rf"[0-9]{{1,20}}{decimals}", price):
            table.problem("price", f"is {quoted(price)}. Write it in {currency} as in {example}.")
        elif (amount := int(price.replace(".", ""))) > MOST_CHARGE:
            most = Decimal(MOST_CHARGE).scaleb(-places)
            table.problem("price", f"is {quoted(price)}. At most {most} can be charged.")
        else:
            return amount
    return 0


def _product_texts(table: Table) -> tuple[ProductTexts, ...]:
    """The texts in each language that one of them has. A text that a language lacks is the one in
    the first language.
    """
    fields = {
        "name": dict(table.texts("name", 120)),
        "description": dict(table.texts("description", 5000, has_lines=True)),
        "format": dict(table.texts("format", 120)),
    }
    locales = list(dict.fromkeys(locale for texts in fields.values() for locale in texts))
    if len(locales) > 1 and NO_LANGUAGE in locales:
        locales.remove(NO_LANGUAGE)
    if not all(fields.values()):
        return ()
    for key, texts in fields.items():
        if NO_LANGUAGE not in texts and locales[0] not in texts:
            table.problem(key, f"has no {locales[0]}, the product's first language. Add it.")
            return ()

    def text(key: str, locale: str) -> str:
        texts = fields[key]
        return texts.get(locale) or texts.get(locales[0]) or texts[NO_LANGUAGE]

    return tuple(
        ProductTexts(
            locale, text("name", locale), text("description", locale), text("format", locale)
        )
        for locale in locales
    )
