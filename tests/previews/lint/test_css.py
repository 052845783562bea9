"""Style sheets, selectors and the cascade, as the lint reads them."""

import pytest
from cssselect2 import ElementWrapper

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


def chosen_by(selector: str, document: Document) -> list[Element]:
    tree = ElementWrapper.from_html_root(document.root)
    return [
        chosen.etree_element
        for compiled in css.selectors(selector)
        for chosen in tree.query_all(compiled)
    ]


def test_a_style_sheet_is_rules_and_at_rules_with_their_lines(document: Document) -> None:
    rule, at_rule = css.statements(only(document, "style").text_content())
    assert rule.type == "qualified-rule"
    assert (css.text(rule.prelude), rule.source_line) == ("p", 4)
    assert at_rule.type == "at-rule"
    assert at_rule.lower_at_keyword == "media"
    assert css.text(at_rule.prelude) == "(prefers-color-scheme: dark)"
    inner = css.rules(at_rule)
    assert [rule.source_line for rule in inner] == [6, 7, 8]
    assert css.text(inner[2].prelude) == "div > p, td + td"
    assert len(css.selectors(inner[2].prelude)) == 2


def test_an_at_rule_needs_no_block_and_a_block_no_end() -> None:
    first, second = css.statements("@import url(x.css); @media print { p { margin: 0")
    assert first.type == "at-rule"
    assert (first.lower_at_keyword, css.text(first.content)) == ("import", "")
    assert second.type == "at-rule"
    [rule] = css.rules(second)
    assert css.declarations(rule.content) == (css.Declaration("margin", "0"),)


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
    assert (only(document, "p") in chosen_by(selector, document)) is chosen


def test_siblings_are_chosen_by_the_one_before(document: Document) -> None:
    assert chosen_by("td + td", document) == [only(document, "td", 1)]


def test_the_heavier_selector_wins_over_the_later_one(document: Document) -> None:
    [first], [second], [third] = map(css.selectors, ["#a b.c", "b.c.d", "a b"])
    assert first.specificity > second.specificity > third.specificity
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
    assert only(document, "td", 1).text_content() == "threefour"
    assert document.doctype == "doctype html"


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000", "#ffffff", 21.0), ("#777777", "rgb(255, 255, 255)", 4.48), ("#fff", "#FFF", 1.0)],
)
def test_contrast_is_what_wcag_says(one: str, other: str, ratio: float) -> None:
    assert contrast(colour(one) or "", colour(other) or "") == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("value", ["rebeccapurple", "red", "transparent", "#1234"])
def test_a_colour_by_name_is_unknown(value: str) -> None:
    assert colour(value) is None
