"""Which languages exist, and which one a reader gets."""

from pathlib import Path

import pytest
from babel import UnknownLocaleError
from babel.messages.pofile import PoFileError
from pyramid.config import Configurator

from app.i18n.languages import Languages, direction, own_name


def add(folder: Path, language: str, words: str) -> None:
    catalogue = folder / language / "LC_MESSAGES" / "pillarbox.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(words)


def said(languages: Languages, language: str, text: str) -> str:
    return languages.translations(language).gettext(text)


def test_english_is_always_there_and_first(tmp_path: Path) -> None:
    assert Languages().names == ("en",)
    for language in ("pt_BR", "de"):
        add(tmp_path, language, "")
    assert Languages(tmp_path).names == ("en", "de", "pt_BR")


@pytest.mark.parametrize(
    ("locale", "nearest"),
    [
        ("de", "de"),
        ("de_AT", "de"),
        ("DE-at", "de"),
        ("zh_Hant_TW", "zh_Hant"),
        ("pt_BR", "pt_BR"),
        ("pt", "en"),
        ("fr", "en"),
        ("", "en"),
        ("de\N{SNOWMAN}", "en"),
    ],
)
def test_a_reader_gets_the_nearest_language(tmp_path: Path, locale: str, nearest: str) -> None:
    for language in ("de", "pt_BR", "zh_Hant"):
        add(tmp_path, language, "")
    assert Languages(tmp_path).nearest(locale) == nearest


def test_a_text_without_a_translation_stays_english(tmp_path: Path) -> None:
    add(tmp_path, "de", 'msgid "Yes"\nmsgstr "Ja"\n\nmsgid "No"\nmsgstr ""\n')
    languages = Languages(tmp_path)
    assert [said(languages, "de", text) for text in ("Yes", "No", "Perhaps")] == [
        "Ja",
        "No",
        "Perhaps",
    ]
    assert said(languages, "en", "Yes") == "Yes"


def test_a_guess_of_the_tools_is_no_translation(tmp_path: Path) -> None:
    add(tmp_path, "de", '#, fuzzy\nmsgid "Yes"\nmsgstr "Nein"\n')
    assert said(Languages(tmp_path), "de", "Yes") == "Yes"


def test_a_folder_that_is_added_later_wins(tmp_path: Path) -> None:
    add(tmp_path / "ours", "de", 'msgid "Yes"\nmsgstr "Ja"\n\nmsgid "No"\nmsgstr "Nein"\n')
    add(tmp_path / "theirs", "de", 'msgid "No"\nmsgstr "Nö"\n')
    add(tmp_path / "theirs", "en", 'msgid "No"\nmsgstr "Nope"\n')
    languages = Languages(tmp_path / "ours", tmp_path / "theirs")
    assert [said(languages, "de", text) for text in ("Yes", "No")] == ["Ja", "Nö"]
    assert said(languages, "en", "No") == "Nope"
    assert languages.names == ("en", "de")


def test_plurals_follow_the_language(tmp_path: Path) -> None:
    forms = "".join(f'msgstr[{number}] "{number}"\n' for number in range(3))
    add(tmp_path, "pl", f'msgid "item"\nmsgid_plural "items"\n{forms}')
    polish = Languages(tmp_path).translations("pl")
    assert [polish.ngettext("item", "items", n) for n in (1, 2, 5)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("language", "words", "error"),
    [
        ("xx", "", UnknownLocaleError),
        ("not a language", "", ValueError),
        ("de", "this is no catalogue\n", PoFileError),
    ],
)
def test_what_cannot_be_a_catalogue_stops_the_start(
    tmp_path: Path, language: str, words: str, error: type[Exception]
) -> None:
    add(tmp_path, language, words)
    with pytest.raises(error):
        Languages(tmp_path)


def test_languages_name_themselves_and_know_their_direction() -> None:
    assert [own_name(language) for language in ("en", "de", "fr")] == [
        "English",
        "Deutsch",
        "Français",
    ]
    assert [direction(language) for language in ("de", "ar", "he")] == ["ltr", "rtl", "rtl"]


def test_an_application_adds_its_own_catalogues(tmp_path: Path) -> None:
    add(tmp_path, "fr", 'msgid "Sign in"\nmsgstr "Se connecter"\n')
    config = Configurator()
    config.include("app.i18n.languages")
    config.add_languages(str(tmp_path))
    languages = config.registry.languages
    assert said(languages, "fr", "Sign in") == "Se connecter"
    assert said(languages, "de", "Sign in") == "Anmelden"
