"""Reading the shop's file: what is right, and every problem with its line and its cure."""

import os
import time
from datetime import date
from pathlib import Path

import pytest

from app.shop.shop_file.content import ALWAYS, RateEntry
from app.shop.shop_file.parse import BIGGEST_TOML, parse
from app.shop.shop_file.problems import BadShopFile
from app.shop.shop_file.tables import BIGGEST_FILE
from tests.support.shop_files import example, write_shop


def problems(path: Path) -> str:
    with pytest.raises(BadShopFile) as caught:
        parse(path)
    return str(caught.value)


def line_of(text: str, start: str) -> int:
    """The number of the only line that begins with ``start``."""
    [number] = [n for n, line in enumerate(text.splitlines(), 1) if line.startswith(start)]
    return number


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    shop = parse(write_shop(tmp_path))
    assert shop.currency == "EUR"
    assert shop.seller.address == "Sample Street 1\n12345 Sampleton"
    assert shop.seller.terms == (("en", "Be kind."), ("de", "Seien Sie nett."))
    assert RateEntry("standard", "FI", ALWAYS, 2400) in shop.rates
    assert RateEntry("standard", "FI", date(2024, 9, 1), 2550) in shop.rates
    letters, alphabet = shop.products
    assert (letters.slug, letters.price, letters.tax_class) == ("letters-to-nobody", 1600, "books")
    assert letters.picture_type == "image/jpeg"
    assert [(text.locale, text.format) for text in letters.texts] == [
        ("en", "PDF, 160 pages"),
        ("de", "PDF, 160 Seiten"),
    ]
    assert [(text.locale, text.name) for text in alphabet.texts] == [("und", "Alphabet")]


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = write_shop(tmp_path)
    as_unix = parse(path)
    text = example().replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert parse(path) == as_unix


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('currency = "EUR"', 'currency = "eur"', "currency is 'eur'. Write one of EUR, USD"),
        ('currency = "EUR"', 'curency = "EUR"', "'curency' is unknown. Delete it. Did you mean cu"),
        ('country = "DE"', 'country = "UK"', "country is 'UK', which is no country. Write GB."),
        ('country = "DE"', 'country = "EU"', "country is 'EU', which is no country."),
        ('email = "help@example.org"', 'email = "help"', "email is 'help', which is no email"),
        ('name = "Slow Post Press"', 'name = "a\\u0000"', "the control character U+0000. Delete"),
        ('name = "Slow Post Press"', f'name = "{"x" * 201}"', "has 201 characters. Shorten it to"),
        ('name = "Slow Post Press"', 'name = " "', "name is empty. Write something"),
        ('statement_name = "SLOW POST PRESS"', 'statement_name = "1234"', "Write 5 to 22 chara"),
        ('statement_name = "SLOW POST PRESS"', 'statement_name = "12345"', "at least one letter"),
        ('statement_name = "SLOW POST PRESS"', 'statement_name = "SLOW * POST"', "Write 5 to 22"),
        ('statement_name = "SLOW POST PRESS"', 'statement_name = "SLÖW POST"', "without accents"),
        ('vat = "charged"', 'vat = "none"', 'vat is \'none\'. Write "charged" or "exempt".'),
        ('vat = "charged"', 'vat = "exempt"', "vat_sentence is missing. Add vat_sentence"),
        ('vat_id = "DE123456789"', "", "vat_id is missing. Add vat_id"),
        ('terms = { en = "terms.en.txt"', 'terms = { en = "no.txt"', "which does not exist."),
        ('terms = { en = "terms.en.txt"', 'terms = { "pt-br" = "terms.en.txt"', "Write pt_BR."),
        ("EU = 20", "EU = 20.125", "Write a number of percent from 0 to 100"),
        ("EU = 20", "EU = -1", "Write a number of percent from 0 to 100"),
        ("EU = 20", "EU = nan", "Write a number of percent from 0 to 100"),
        ("EU = 20", "EU = true", "Write a number of percent from 0 to 100"),
        ("EU = 20", "EU = []", "EU has no rate. Write a number of percent"),
        ("EU = 20", "eu = 20", "eu is no country. Write EU."),
        ("EU = 20", "EU = [{rate=1},{rate=2}]", "from is 1970-01-01 twice."),
        ("EU = 20", "EU = [{rate=1, from=2020-01-01T00:00:00}]", "Write a day without quotes"),
        ('price = "9.50"', "price = 9.50", "price is '9.50' without quotes."),
        ('price = "9.50"', 'price = "9.5"', "price is '9.5'. Write it in EUR as in \"12.00\"."),
        ('price = "9.50"', 'price = "-9.50"', "which is negative. Write 0 or more."),
        ('price = "9.50"', 'price = "1000000.00"', "At most 999999.99 can be charged."),
        ('slug = "alphabet"', 'slug = "Alphabet"', "Use a-z, 0-9 and -, 64 characters at most."),
        ('slug = "alphabet"', f'slug = "{"a" * 65}"', "64 characters at most."),
        ('slug = "alphabet"', 'slug = "letters-to-nobody"', "slug is that of product 1 too."),
        ('tax = "standard"', 'tax = "standart"', "a class without any rate. Did you mean standar"),
        ('file = "alphabet.zip"', 'file = "."', "which is no file."),
        ('file = "alphabet.zip"', 'file = "a\\u0000"', "the control character U+0000"),
        ('file = "alphabet.zip"', 'file = "gone.zip"', "'gone.zip', which does not exist."),
        ('picture = "letters-to-nobody.jpg"', 'picture = "alphabet.zip"', "must end in one of"),
        ('name = "Alphabet"', "name = 3", "name is '3', which is no text. Put it into quotes."),
        ('name = "Alphabet"', "name = {}", "name has no language."),
        ('name = "Alphabet"', 'name = """a\nb"""', "name contains a line break. Delete it."),
        ('format = { en = "PDF, 160 pages", ', "format = { ", "format has no en, the product's"),
    ],
)
def test_a_problem_is_named_with_its_line_and_its_cure(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = example()
    line = text.count("\n", 0, text.index(old)) + 1
    found = problems(write_shop(tmp_path, text.replace(old, new, 1)))
    [named] = [row for row in found.splitlines() if said in row]
    if "is missing" not in said:
        assert named.startswith(f"  line {line}: ")


def test_all_problems_are_in_one_message(tmp_path: Path) -> None:
    text = example().replace('"EUR"', '"XXX"').replace("DE = 7", "DE = 700")
    text = text.replace('slug = "alphabet"', 'slug = "?"')
    found = problems(write_shop(tmp_path, text))
    assert "has 3 problems:" in found
    assert f"line {line_of(text, 'currency')}: currency" in found
    assert f"line {line_of(text, 'DE = 700')}: tax.books.DE: rate is '700'" in found
    line = line_of(text, 'slug = "?"')
    assert f"line {line}: product 2: slug" in found


def test_a_key_inside_a_text_or_a_comment_has_no_line(tmp_path: Path) -> None:
    text = '# currency = "USD"\n"note" = """\ncurrency = 1\n[seller]\n"""\n' + example()
    text = text.replace('"EUR"', '"XXX"')
    [line] = [n for n, row in enumerate(text.splitlines(), 1) if '"XXX"' in row]
    assert f"line {line}: currency" in problems(write_shop(tmp_path, text))


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"currency = ", "line 1: it is not TOML"),
        (b"a = 1\nb = \nc = 2", "line 2: it is not TOML"),
        (b"a = 1\na = 2", "line 2: it is not TOML"),
        (b"a = 1\nb = '\xff'", "line 2: it is not text in UTF-8"),
        (b"a = " + b"[" * 100_000, "nested too deep"),
        (b"a = " + b"9" * 10_000, "a number is too big"),
        (b"a = 1e" + b"9" * 30, "a number is too big"),
        (b"#" * (BIGGEST_TOML + 1), "more than 5,000,000 octets"),
        (b"", "[seller] is missing"),
        (b"seller = 3\ntax = 3\nproduct = 3", "line 1: seller is no table"),
        (b"product = [3]\ntax = {a = 3}", "line 1: product 1 is no table"),
    ],
)
def test_what_is_no_shops_file_is_told_so(tmp_path: Path, contents: bytes, said: str) -> None:
    path = tmp_path / "shop.toml"
    path.write_bytes(contents)
    assert said in problems(path)


def test_files_that_cannot_be_sold_are_named(tmp_path: Path) -> None:
    path = write_shop(tmp_path)
    (tmp_path / "alphabet.zip").write_bytes(b"")
    assert "'alphabet.zip', which is empty" in problems(path)
    os.truncate(tmp_path / "alphabet.zip", BIGGEST_FILE + 1)
    assert "which has 2,000,000,001 octets. At most 2,000,000,000 go" in problems(path)
    (tmp_path / "alphabet.zip").unlink()
    os.mkfifo(tmp_path / "alphabet.zip")
    assert "'alphabet.zip', which is no file" in problems(path)


def test_terms_are_checked_too(tmp_path: Path) -> None:
    path = write_shop(tmp_path)
    terms = tmp_path / "terms.en.txt"
    terms.write_bytes(b"\xff")
    assert "'terms.en.txt', which is not text in UTF-8" in problems(path)
    terms.write_text("x" * 50_001)
    assert "has 50,001 characters. Shorten it to 50,000." in problems(path)
    terms.write_text("a\x07")
    assert "the control character U+0007" in problems(path)


def test_an_exempt_seller_needs_no_vat_id_but_a_sentence(tmp_path: Path) -> None:
    text = example().replace('vat_id = "DE123456789"\n', "")
    text = text.replace('vat = "charged"', 'vat = "exempt"\nvat_sentence.de = "Kleinunternehmer."')
    seller = parse(write_shop(tmp_path, text)).seller
    assert (seller.is_exempt, seller.vat_sentence) == (True, (("de", "Kleinunternehmer."),))
    text = text.replace('"exempt"', '"charged"')
    found = problems(write_shop(tmp_path, text))
    assert 'vat_sentence is only for vat = "exempt"' in found


def test_yen_have_no_decimals(tmp_path: Path) -> None:
    text = example().replace('"EUR"', '"JPY"').replace('"16.00"', '"1600"')
    assert "'9.50'. Write it in JPY as in \"12\"." in problems(write_shop(tmp_path, text))
    shop = parse(write_shop(tmp_path, text.replace('"9.50"', '"950"')))
    assert [product.price for product in shop.products] == [1600, 950]


def test_a_message_shows_at_most_fifty_problems(tmp_path: Path) -> None:
    text = example() + "".join(f"x{n} = 1\n" for n in range(60))
    assert problems(write_shop(tmp_path, text)).endswith("\n  and 10 more")


def test_a_message_has_no_control_characters_from_keys(tmp_path: Path) -> None:
    said = problems(
        write_shop(tmp_path, example() + '[tax."\\u001B"]\nDE = 7\n[tax.x]\n"\\u001B[2J" = 1\n')
    )
    assert "\x1b" not in said
    assert "'\\x1b[2J' is no country" in said
    assert "'\\x1b' is no name for a class" in said


def test_hostile_texts_are_refused_in_a_moment(tmp_path: Path) -> None:
    hostile = {"quotes": 'a = "' + '\\"' * 20_000, "keys": "a" + ".a" * 2_000 + " = 1"}
    started = time.monotonic()
    for text in hostile.values():
        with pytest.raises(BadShopFile):
            parse(write_shop(tmp_path, text))
    assert time.monotonic() - started < 5
