"""As much CSS as the lint understands, and what it comes to."""

import pytest

from app.mail.composing.palette import contrast
from app.previews.lint import css
from app.previews.lint.cascade import Cascade, Surroundings
from app.previews.lint.contrast import colour
from app.previews.lint.document import Document, Element

PAGE = """<!doctype html><style>
/* two
lines */
p { color: #111111 }
@media (prefers-color-scheme: dark) {
p { color: #eeeeee !important; }
p.quiet { color: #cccccc !important; }
div > p, td + td { background: #222222 !important; }
}
</style><body style="font-size:16px"><div id="all"><p class="quiet small" style="color:#333333">
<b>one</b></p></div><table><tr><td>two</td><td bgcolor="#444444" nowrap>three<br>four</td></tr>
</table>
"""


@pytest.fixture
def document() -> Document:
    return Document(PAGE)


def only(document: Document, tag: str, number: int = 0) -> Element:
    return document.all(tag)[number]


def test_a_style_sheet_is_rules_and_at_rules_with_their_lines(document: Document) -> None:
    rule, at_rule = css.statements(only(document, "style").text)
    assert isinstance(rule, css.Rule)
    assert (rule.selectors, rule.line) == (("p",), 4)
    assert isinstance(at_rule, css.AtRule)
    assert (at_rule.name, at_rule.condition) == ("media", "(prefers-color-scheme: dark)")
    assert [inner.line for inner in at_rule.rules] == [6, 7, 8]
    assert at_rule.rules[2].selectors == ("div > p", "td + td")


def test_an_at_rule_needs_no_block_and_a_block_no_end() -> None:
    first, second = css.statements("@import url(x.css); @media print { p { margin: 0")
    assert isinstance(first, css.AtRule)
    assert (first.name, first.body) == ("import", "")
    assert isinstance(second, css.AtRule)
    assert second.rules[0].declarations == (css.Declaration("margin", "0"),)


def test_a_declaration_is_a_name_a_value_and_its_weight() -> None:
    assert css.declarations("Color: red !important; background:url(a;b:c); nothing;") == (
        css.Declaration("color", "red", important=True),
        css.Declaration("background", "url(a;b:c)"),
    )


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("p", True),
        ("*", True),
        ("P.quiet", True),
        (".small.quiet", True),
        (".loud", False),
        ("p#all", False),
        ("div p", True),
        ("#all>p", True),
        ("body > p", False),
        ("body p", True),
        ("td p", False),
        ("p + p", False),
        ("p:hover", False),
        ("", False),
    ],
)
def test_a_selector_chooses_its_elements(
    document: Document, selector: str, *, chosen: bool
) -> None:
    assert css.matches(selector, only(document, "p")) is chosen


def test_siblings_are_chosen_by_the_one_before(document: Document) -> None:
    cells = document.all("td")
    assert [css.matches("td + td", cell) for cell in cells] == [False, True]


def test_the_heavier_selector_wins_over_the_later_one(document: Document) -> None:
    assert css.specificity("#a b.c") > css.specificity("b.c.d") > css.specificity("a b")
    cascade = Cascade(document)
    paragraph, word = only(document, "p"), only(document, "b")
    assert cascade.value(paragraph, "color") == "#333333"
    assert cascade.value(paragraph, "color", Surroundings.DARK) == "#cccccc"
    assert cascade.value(word, "color", Surroundings.DARK) == "#cccccc"
    assert cascade.value(word, "background-color", Surroundings.DARK) == ""
    assert cascade.value(paragraph, "background-color", Surroundings.DARK) == "#222222"


def test_attributes_style_where_css_does_not(document: Document) -> None:
    cascade = Cascade(document)
    cell = only(document, "td", 1)
    assert cascade.value(cell, "background-color") == "#444444"
    assert cascade.value(cell, "background-color", Surroundings.DARK) == "#222222"
    assert cascade.value(cell, "white-space") == "nowrap"
    assert cascade.value(cell, "font-size") == "16px"


def test_a_document_knows_what_is_shown(document: Document) -> None:
    assert [element.tag for element in document.visible][:3] == ["body", "div", "p"]
    assert only(document, "td", 1).text == "threefour"
    assert document.doctype == "doctype html"


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000", "#ffffff", 21.0), ("#777777", "rgb(255, 255, 255)", 4.48), ("#fff", "#FFF", 1.0)],
)
def test_contrast_is_what_wcag_says(one: str, other: str, ratio: float) -> None:
    assert contrast(colour(one) or "", colour(other) or "") == pytest.approx(ratio, abs=0.005)


def test_a_colour_by_name_is_unknown() -> None:
    assert colour("rebeccapurple") is None
