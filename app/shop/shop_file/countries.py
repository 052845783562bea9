"""The countries that a shop's file can name."""

from babel import Locale

from app.shop.shop_file.problems import quoted
from app.shop.shop_file.tables import Table

# Unicode's list of territories also has codes that are no country of ISO 3166-1.
_NO_COUNTRIES = {
    *("AC", "CP", "CQ", "DG", "EA", "EU", "EZ"),
    *("IC", "QO", "TA", "UN", "XA", "XB", "ZZ"),
}
_CODES = {str(code) for code in Locale("en").territories}
COUNTRIES = frozenset(code for code in _CODES if len(code) == 2 and code not in _NO_COUNTRIES)
"""ISO 3166-1 alpha-2."""
_MEANT = {"UK": "GB", "EL": "GR"}


def check_country(table: Table, key: str, code: str, *others: str) -> bool:
    """Whether ``code`` is a country or one of ``others``. Notes a problem of ``key`` if not."""
    known = COUNTRIES.union(others)
    if code in known:
        return True
    better = _MEANT.get(code.upper(), code.upper())
    cure = better if better in known else "two capital letters of ISO 3166, such as DE"
    if key == code:
        table.problem(key, f"is no country. Write {cure}.")
    else:
        table.problem(key, f"is {quoted(code)}, which is no country. Write {cure}.")
    return False
