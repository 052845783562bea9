"""Reads ``[seller]``: who sells."""

import re
from pathlib import Path

from app.accounts.addresses import UnusableAddress, parse_address
from app.shop.shop_file.content import NO_LANGUAGE, SellerEntry, Texts
from app.shop.shop_file.countries import check_country
from app.shop.shop_file.problems import Where, quoted
from app.shop.shop_file.tables import Table

KEYS = (
    *("name", "address", "country", "email", "phone", "vat_id", "register"),
    *("statement_name", "terms", "vat", "vat_sentence"),
)
MOST_TERMS = 50_000
"""Characters."""
_STATEMENT_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 .,&-]{5,22}")


def read_seller(table: Table, folder: Path) -> SellerEntry:
    """The seller of the table ``[seller]``. Paths begin at ``folder``."""
    table.allow(KEYS)
    vat = table.text("vat", 100)
    if vat and vat not in ("charged", "exempt"):
        table.problem("vat", f'is {quoted(vat)}. Write "charged" or "exempt".')
    is_exempt = vat == "exempt"
    sentence = table.texts("vat_sentence", 500, is_optional=not is_exempt)
    if sentence and vat == "charged":
        table.problem("vat_sentence", 'is only for vat = "exempt". Delete it, or change vat.')
    country = table.text("country", 100)
    if country:
        check_country(table, "country", country)
    email = table.text("email", 320)
    if email:
        try:
            email = parse_address(email).stored
        except UnusableAddress:
            table.problem("email", f"is {quoted(email)}, which is no email address. Correct it.")
    statement_name = table.text("statement_name", 100)
    if statement_name and not _STATEMENT_NAME.fullmatch(statement_name):
        table.problem(
            "statement_name",
            f"is {quoted(statement_name)}. Write 5 to 22 characters: Latin letters without accents,"
            " digits, spaces and . , - &, with at least one letter.",
        )
    return SellerEntry(
        name=table.text("name", 200),
        address=table.text("address", 400, has_lines=True),
        country=country,
        email=email,
        phone=table.text("phone", 40, is_optional=True),
        vat_id=table.text("vat_id", 20, is_optional=is_exempt),
        register=table.text("register", 200, is_optional=True),
        statement_name=statement_name,
        is_exempt=is_exempt,
        vat_sentence=sentence,
        terms=_terms(table, folder),
    )


def _terms(table: Table, folder: Path) -> Texts:
    terms = []
    for locale, name in table.texts("terms", 1000):
        where: Where = ("terms",) if locale == NO_LANGUAGE else ("terms", locale)
        path = table.readable(where, folder, name, 4 * MOST_TERMS)
        if path is None:
            continue
        try:
            contents = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            table.problem(where, f"names {quoted(name)}, which is not text in UTF-8. Save it so.")
            continue
        read = Table(table.problems, {"text": contents}, (*table.where, *where), f"{name}:")
        if text := read.text("text", MOST_TERMS, has_lines=True):
            terms.append((locale, text))
    return tuple(terms)
