"""An owner's colours cannot make an email unreadable."""

from hypothesis import given
from hypothesis import strategies as st

from app.mail.composing.palette import LEAST_CONTRAST, contrast, palette

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
COMFORTABLE = 7


@given(accent=colours, page=colours)
def test_words_stay_readable_whatever_the_owner_chooses(accent: str, page: str) -> None:
    chosen = palette(accent, page)
    assert contrast(chosen.on_accent, chosen.accent) >= LEAST_CONTRAST
    assert contrast(chosen.link, chosen.letter) >= LEAST_CONTRAST
    assert contrast(chosen.dark_link, chosen.dark_letter) >= LEAST_CONTRAST
    for words in (chosen.ink, chosen.quiet):
        assert contrast(words, chosen.letter) >= COMFORTABLE
    for words in (chosen.dark_ink, chosen.dark_quiet):
        assert contrast(words, chosen.dark_letter) >= COMFORTABLE


def test_a_colour_that_is_readable_already_is_left_alone() -> None:
    assert palette("#b3261e", "#f4f1ec").link == "#b3261e"


def test_contrast_is_that_of_wcag() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
