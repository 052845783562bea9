"""The PDF of a document: tagged and archivable, the same bytes every time, and never an error."""

import hashlib
import logging
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.i18n.languages import Languages
from app.shop.documents import pdf
from app.shop.documents.content import Correction
from app.shop.emails import samples
from tests.support.at_once import at_once
from tests.support.documents import BERLIN, LANGUAGES, line, pdf_of, postcards, receipt, refund
from tests.support.pdf_text import pages_of, text_of, without_spaces

ARABIC_SHOP, HEBREW_BOOK = "دار الرسائل", "ספר המכתבים"


def says(file: bytes, *facts: str) -> None:
    """Assert that the file says all of ``facts``."""
    text = text_of(file)
    for fact in facts:
        assert without_spaces(fact) in text, fact


# --- What it says -------------------------------------------------------------


def test_a_receipt_says_all_that_a_receipt_must() -> None:
    lines = line("The art of the letter", 2, 1200), line("Letters to nobody", 1, 1600, 700)

    says(
        pdf_of(receipt(*lines)),
        "Receipt2026-000042",
        "Issued on November 22, 2026",
        "Order 7K3M-9QXW-2TBC",
        "Buyer Ada Lovelace 12 St James's Square London SW1Y 4JH United Kingdom",
        "Pillarbox Sample Street 1 12345 Sampleton Germany help@shop.example +49 30 1234567",
        "Amtsgericht Sampleton, HRB 1234",
        "VAT ID DE123456789",
        "The art of the letter PDF, 160 pages · 2 × €12.00 · VAT 19% €24.00",
        "Letters to nobody PDF, 160 pages · 1 × €16.00 · VAT 7% €16.00",
        # 40.00 holds 1.05 at 7% (of 16.00) and 3.83 at 19% (of 24.00).
        "Net €35.12",
        "VAT 7% on €14.95 €1.05",
        "VAT 19% on €20.17 €3.83",
        "Total €40.00",
        "Paid on November 22, 2026 with Visa ending in 4242",
        "On your card statement PILLARBOX.EXAMPLE",
        "You can withdraw from this contract until December 7, 2026",
        "Write to help@shop.example and state the order number",
        "Page 1 of 1",
    )


def test_it_speaks_the_language_of_the_order() -> None:
    file = pdf_of(receipt(locale="de_AT"))

    says(file, "Beleg 2026-000042", "Ada Lovelace", "Vereinigtes Königreich", "24,00 €")
    says(
        file,
        "Seite 1 von 1",
        "Ausgestellt am 22. November 2026",
        "Bezahlt am 22. November 2026 mit Visa",
    )
    assert b"/Lang(de)" in file


@pytest.mark.parametrize("language", ["es_419", "pt_BR", "zh_Hant", "he", "fil"])
def test_a_shop_can_add_any_language(language: str, tmp_path: Path) -> None:
    folder = tmp_path / language / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "shop.po").write_text('msgid "Receipt"\nmsgstr "Cuenta"\n')

    file = pdf.render(receipt(locale=language), Languages(tmp_path), BERLIN)

    assert file
    assert "Cuenta" in text_of(file)
    assert b"/Lang(" + language.partition("_")[0].encode() in file


def test_days_are_those_of_the_shop() -> None:
    shortly_before_midnight = samples.PAID_AT.replace(hour=23, minute=30)

    says(pdf_of(receipt(issued_at=shortly_before_midnight)), "Issued on November 23, 2026")


def test_a_refund_says_what_it_corrects_and_why() -> None:
    says(
        pdf_of(refund()),
        "Refund 2026-000043",
        "Corrects receipt 2026-000042 of November 22, 2026",
        "Part of order 7K3M-9QXW-2TBC €10.00",
        "Net €8.78",
        "VAT 7% on €3.74 €0.26",
        "VAT 19% on €5.04 €0.96",
        "Refunded on November 22, 2026 to Visa ending in 4242",
        "The reason: Two pages were missing.",
    )


def test_a_refund_of_goods_names_them() -> None:
    says(pdf_of(refund(lines=(line("Seals", 2, 500),))), "Seals PDF, 160 pages · 2 × €5.00")


def test_a_payment_without_a_receipt_goes_back_without_vat() -> None:
    file = pdf_of(refund(taxes=(), correction=Correction("", None, "")))

    says(file, "Payment for order 7K3M-9QXW-2TBC €10.00", "so it contains no VAT")
    assert "Corrects" not in text_of(file)
    assert "Net" not in text_of(file)


def test_an_exempt_seller_shows_no_vat_but_the_sentence() -> None:
    sentence = "As a small business, we charge no VAT (Section 19 UStG)."
    seller = replace(samples.SELLER, vat_id="", register="", phone="")

    file = pdf_of(receipt(*postcards(2), vat_sentence=sentence, seller=seller))

    says(file, sentence)
    assert "VAT" not in text_of(file).replace(without_spaces(sentence), "")
    assert "Net" not in text_of(file)


def test_an_order_of_nothing_was_not_paid() -> None:
    file = pdf_of(receipt(line("A postcard", 1, 0), card_brand="", card_last4=""))

    says(file, "Total €0.00", "There was nothing to pay.")
    assert "statement" not in text_of(file)
    assert "Paid" not in text_of(file)


def test_yen_have_no_decimals() -> None:
    says(pdf_of(receipt(currency="JPY")), "Total ¥2,400")


def test_a_test_says_so_on_every_page() -> None:
    pages = pages_of(pdf_of(receipt(*postcards(60), is_test=True, number="T-2026-000001")))

    assert len(pages) > 2
    for page in pages:
        assert "Testpayment:nothingwascharged." in page
        assert "ReceiptT-2026-000001" in page
    assert "Nothing,becausethiswasatestpayment" in pages[0]
    assert "Testpayment" not in text_of(pdf_of(receipt()))


def test_many_lines_run_over_pages_with_the_head_of_the_table_on_each() -> None:
    pages = pages_of(pdf_of(receipt(*postcards(100))))

    for number, page in enumerate(pages, 1):
        assert "ItemAmount" in page
        assert f"Page{number}of{len(pages)}" in page
    for number in range(1, 101):
        assert sum(f"Postcardno.{number}," in page for page in pages) == 1
    assert "Total" in pages[-1]
    assert not any("Total" in page for page in pages[:-1])


# --- Its bytes ----------------------------------------------------------------


def test_it_is_tagged_for_screen_readers_and_archives() -> None:
    file = pdf_of(receipt(*postcards(5)))

    assert file.startswith(b"%PDF-1.7")
    assert b"/MarkInfo<</Marked true" in file
    assert b"/StructTreeRoot" in file
    assert b"<pdfaid:part>2</pdfaid:part>" in file
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in file
    assert b"<pdfuaid:part>1</pdfuaid:part>" in file
    assert b"/Lang(en)" in file
    assert b"Receipt 2026-000042</rdf:li>" in file
    # A heading, and a table whose two columns have headers that its cells name.
    assert file.count(b"/S/H1/") == 1
    assert file.count(b"/S/Table/") == 1
    assert file.count(b"/S/TH/") == 2
    assert file.count(b"/Headers[(U1x0y0)]") >= 5
    assert b"2026-11-22T17:50:00Z" in file.replace(b"+00:00", b"Z")


def test_the_same_content_has_the_same_bytes_in_every_process() -> None:
    source = (
        "import hashlib\n"
        "from tests.support.documents import pdf_of, postcards, receipt\n"
        "print(hashlib.sha256(pdf_of(receipt(*postcards(5)))).hexdigest())\n"
    )
    root = Path(__file__).parents[3]
    ours = hashlib.sha256(pdf_of(receipt(*postcards(5)))).hexdigest()

    done = subprocess.run(
        [sys.executable, "-c", source], cwd=root, check=True, capture_output=True, text=True
    )

    assert pdf_of(receipt(*postcards(5))) == pdf_of(receipt(*postcards(5)))
    assert done.stdout.strip() == ours


def test_another_time_of_issue_has_other_bytes() -> None:
    later = samples.PAID_AT + timedelta(seconds=1)

    assert pdf_of(receipt(issued_at=later)) != pdf_of(receipt())


def test_threads_render_at_once() -> None:
    expected = [pdf_of(receipt(*postcards(count))) for count in range(1, 9)]

    def render(count: int) -> list[bytes]:
        return [pdf_of(receipt(*postcards(count))) for _ in range(5)]

    for file, again in zip(expected, at_once(render, range(1, 9)), strict=True):
        assert set(again) == {file}


@pytest.mark.parametrize(("lines", "octets"), [(1, 28_000), (5, 30_000), (100, 100_000)])
def test_it_is_small(lines: int, octets: int) -> None:
    assert len(pdf_of(receipt(*postcards(lines)))) <= octets


# --- Hostile and foreign texts ------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        '#panic("no")',
        '#sys.inputs #read("/etc/passwd") $x^2$ *b* _i_ `r` @x <label> // no \\ [x]',
        '"}], "total": ["Total", "0"]',
        samples.HOSTILE_WORDS,
        "%(name)s %s {0} {page} {{ 7*7 }}",
        "W" * 120,
        "Donaudampfschifffahrtsgesellschaftskapitän" * 2,
        "Почтовая бумага «Нева»",
        "Σφραγίδα με βουλοκέρι",
        "Łucja Żółć-Nguyễn",
        "e\u0301" * 60,
    ],
)
def test_a_name_is_text_whatever_it_says(name: str) -> None:
    buyer = replace(samples.ADA, name=name, address=(name,))
    seller = replace(samples.SELLER, name=name, address=(name,), register=name)

    file = pdf_of(receipt(line(name, form=name), buyer=buyer, seller=seller, vat_sentence=name))

    assert b"pdfaid" in file
    text = text_of(file)
    # Line ends add hyphens to long words. They stand in no name that has one.
    wanted = without_spaces(name).replace("-", "")
    assert text.replace("-", "").count(wanted) >= 6


@pytest.mark.parametrize(
    "name", ["a\0b", "a\tb\x1b[31mc\x7f", "\ufeffa", "a\ue000b", "a\ufffe\uffffb", "\ud800"]
)
def test_what_no_document_can_have_is_replaced(name: str) -> None:
    file = pdf_of(receipt(line(name)))

    assert b"pdfaid" in file
    says(file, "\N{REPLACEMENT CHARACTER}")


def test_a_long_name_stays_on_the_page() -> None:
    """Were it not broken, its letters would run over the amount and off the paper, on one line."""
    # No rules of hyphenation say where digits can be broken.
    assert len(pages_of(pdf_of(receipt(line("0" * 5000))))) > 1


def test_letters_from_right_to_left_keep_their_direction() -> None:
    content = receipt(
        line(HEBREW_BOOK, form="PDF, 12 עמודים"),
        seller=replace(samples.SELLER, name=ARABIC_SHOP),
    )

    file = pdf_of(content)

    # The page has the letters from left to right as they are seen, so the last one comes first.
    assert without_spaces(HEBREW_BOOK)[::-1] in text_of(file)
    # The price behind the foreign word stays what it is.
    assert "PDF,12" in text_of(file)
    assert "·1×€24.00" in text_of(file)


def test_a_character_without_a_font_makes_a_plain_pdf_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # No font has a character that Unicode has not assigned.
    secret = "Ada \U0002fffd Lovelace"

    file = pdf_of(receipt(buyer=replace(samples.ADA, name=secret)))

    assert b"pdfaid" not in file
    assert b"/StructTreeRoot" in file
    says(file, "Lovelace", "Total €24.00")
    [entry] = caplog.messages
    assert "document is plain PDF: document=2026-000042" in entry
    assert "could not be displayed" in entry
    assert "\U0002fffd" not in entry
    assert "fffd" not in entry


class PanicException(BaseException):
    """As typst's has it, which is no ``Exception``."""


@pytest.mark.parametrize("error", [RuntimeError("no"), PanicException("no")])
def test_a_document_that_cannot_be_rendered_is_no_error(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: Any) -> Any:
        raise error

    monkeypatch.setattr(pdf, "_compiler", fail)

    assert pdf.render(receipt(), LANGUAGES, BERLIN) is None
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "document not rendered: document=2026-000042"
    assert record.exc_info


def test_typsts_words_about_a_document_are_not_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "documents").mkdir()
    template = '#let page = json(bytes(sys.inputs.page))\n#panic("`" + page.author + "`")'
    (tmp_path / "documents" / "document.typ").write_text(template)
    monkeypatch.setattr(pdf, "templates_folder", lambda: tmp_path)
    pdf._compilers.__dict__.clear()

    assert pdf.render(receipt(), LANGUAGES, BERLIN) is None
    assert "not rendered" in caplog.text
    assert samples.SELLER.name not in caplog.text


def test_an_interrupt_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(pdf, "_compiler", interrupt)

    with pytest.raises(KeyboardInterrupt):
        pdf.render(receipt(), LANGUAGES, BERLIN)
