"""Every catalogue is complete and matches the texts. No template has an untranslated text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment

from app.i18n.languages import Languages
from tests.support.texts import CATALOGUES, PROJECT, forms, texts

LANGUAGES = [name for name in Languages(CATALOGUES).names if name != "en"]
TEMPLATES = sorted((PROJECT / "templates").rglob("*.jinja2"))

PLACEHOLDER = re.compile(r"%\((\w+)\)s|\$\{(\w+)\}")
READ_ALOUD = {"alt", "aria-label", "placeholder", "title"}
"""Attributes that people meet."""


@pytest.fixture(params=LANGUAGES)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    """One language's catalogue."""
    with (CATALOGUES / request.param / "LC_MESSAGES" / "pillarbox.po").open("rb") as file:
        return read_po(file, locale=request.param)


def names(text: str) -> set[str]:
    """The names of a text's placeholders."""
    return {template or python for template, python in PLACEHOLDER.findall(text)}


def white_space_around(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def test_german_is_there() -> None:
    assert "de" in LANGUAGES


def test_every_text_is_translated_and_nothing_else(catalogue: Catalog) -> None:
    """When this fails: `./run translate`, then fill in what is empty or marked "fuzzy"."""
    wanted = {message.id for message in messages(texts())}
    translated = {
        message.id
        for message in messages(catalogue)
        if not message.fuzzy and all(forms(message.string))
    }
    assert (wanted - translated, translated - wanted) == (set(), set())


def test_every_language_has_all_its_plurals(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        if message.pluralizable:
            assert len(message.string) == catalogue.num_plurals, message.id


def test_a_translation_has_the_placeholders_of_its_text(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        allowed = [names(text) for text in forms(message.id)]
        for form in forms(message.string):
            assert names(form) in allowed, form
            assert "%" not in PLACEHOLDER.sub("", form) or "%" in str(message.id), form


def test_a_translation_begins_and_ends_as_its_text_does(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        text = forms(message.id)[0]
        for form in forms(message.string):
            assert white_space_around(form) == white_space_around(text), form
            # A sentence is translated to a sentence, and a label to a label.
            assert form.endswith((".", "?", "!")) == text.endswith((".", "?", "!")) or (
                form.endswith(("MwSt.", "USt-IdNr.")) and text.endswith(("VAT", "VAT ID"))
            ), form


@pytest.mark.parametrize("catalogue", ["de"], indirect=True)
def test_german_is_typeset_as_german(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        for form in forms(message.string):
            assert not re.search(r"[\"'”‚‘]|\.\.\.", form), form
            assert form.count("„") == form.count("“"), form
            # A no-break space joins a number and its unit.
            assert not re.search(r"(MwSt\.|\d|\}) (%\(rate|Zeichen|Tage|Sekunden|Byte)", form), form
            assert not re.search(r"\b([Dd]u|[Dd]ein\w*|[Dd]ir|[Dd]ich)\b", form), form


class Literals(HTMLParser):
    """The text that stands in a template itself, without its expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._silent = tag
        self.found += [value or "" for name, value in attrs if name in READ_ALOUD]

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(data)


@pytest.mark.parametrize(
    "template", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT / "templates"))
)
def test_no_template_says_a_word_that_is_not_marked(template: Path) -> None:
    environment = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    tokens = environment.lex(template.read_text("utf-8"))
    literals = Literals()
    literals.feed("".join(value for _, kind, value in tokens if kind == "data"))
    literals.close()
    # A macro may return an attribute, which then looks like text.
    said = [re.sub(r'[\w-]+="[^"]*"', "", text) for text in literals.found]
    assert [text for text in said if re.search(r"[^\W\d_]", text)] == []


def test_an_unmarked_word_would_be_noticed() -> None:
    literals = Literals()
    literals.feed('<p title="Why">Because</p><style>p {}</style>')
    assert literals.found == ["Why", "Because"]
