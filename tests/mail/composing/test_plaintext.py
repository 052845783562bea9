"""The plain text has the facts and links of the HTML, aligned, and no Markdown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from app.mail.composing.columns import WIDTH
from app.mail.composing.plaintext import plain_text


def test_paragraphs_are_wrapped_and_kept_apart() -> None:
    text = plain_text("<p>" + "word " * 40 + "</p><p>Second</p>")
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.endswith("\n\nSecond\n")


def test_a_link_alone_puts_its_address_on_a_line_of_its_own() -> None:
    link = '<a href="https://x.example/a?b=1&amp;c=2">Reset it</a>'
    html = f'<table role="presentation"><tr><td>{link}</td></tr></table>'
    assert plain_text(html) == "Reset it:\nhttps://x.example/a?b=1&c=2\n"


def test_a_link_in_prose_stands_behind_its_words_and_is_never_broken() -> None:
    address = "https://x.example/" + "a" * 100
    text = plain_text(f'<p>Please <a href="{address}">look here</a> today.</p>')
    assert f"<{address}>" in text.replace("\n", " ")
    assert "look here <https" in text.replace("\n", " ")


def test_a_mail_address_is_not_said_twice() -> None:
    html = '<p>Write to <a href="mailto:help@example.org">help@example.org</a>.</p>'
    assert plain_text(html) == "Write to help@example.org.\n"


def test_a_data_table_becomes_aligned_columns() -> None:
    right = 'align="right"'
    html = f"""<table><caption>Your order</caption>
    <tr><th scope="col">Item</th><th scope="col" {right}>Qty</th><th {right}>Amount</th></tr>
    <tr><td>Soap 350 ml</td><td {right}>2</td><td {right}>€24.00</td></tr>
    <tr><td>Ink</td><td {right}>10</td><td {right}>€1,003.00</td></tr>
    <tr><th scope="row" colspan="2">Total</th><td {right}>€1,027.00</td></tr></table>"""
    assert plain_text(html) == (
        "Your order\n"
        "\n"
        "Item         Qty     Amount\n"
        "---------------------------\n"
        "Soap 350 ml    2     €24.00\n"
        "Ink           10  €1,003.00\n"
        "Total             €1,027.00\n"
    )


def test_the_amount_stands_beside_the_first_of_two_lines() -> None:
    html = '<table><tr><td>Soap<br><span>2 × €12.00</span></td><td align="right">€24.00</td></tr>'
    assert plain_text(html + "</table>") == "Soap        €24.00\n2 × €12.00\n"


def test_a_long_name_in_a_table_wraps_and_its_amount_stands_beside_its_first_line() -> None:
    name = "A very long name of a product that goes on and on and on, and then some more words"
    html = f'<table><tr><td>{name}</td><td align="right">€24.00</td></tr></table>'
    lines = plain_text(html).splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("€24.00")
    assert max(map(len, lines)) <= WIDTH


def test_facts_keep_their_values_beside_their_labels() -> None:
    value = "12 St James's Square, London, and a good many further words of an address"
    html = f'<table><tr><th scope="row">Buyer</th><td>{value}</td></tr></table>'
    lines = plain_text(html).splitlines()
    assert lines[0].startswith("Buyer  12 St James's Square")
    assert lines[1].startswith("       ")
    assert max(map(len, lines)) <= WIDTH


def test_facts_in_a_right_to_left_language_are_no_amounts() -> None:
    rows = [
        ("שם", "Ada"),
        ("כתובת", "12 St James's Square, London SW1Y 4JH, United Kingdom, Europe"),
    ]
    cells = "".join(
        f'<tr><th scope="row" align="right">{label}</th><td align="right">{value}</td></tr>'
        for label, value in rows
    )
    lines = plain_text(f"<table>{cells}</table>").splitlines()
    assert lines[0] == "שם     Ada"
    assert max(map(len, lines)) <= WIDTH


def test_wide_characters_take_two_columns() -> None:
    html = "<table><tr><td>日本語</td><td>1</td></tr><tr><td>abcdef</td><td>2</td></tr></table>"
    assert plain_text(html) == "日本語  1\nabcdef  2\n"


@pytest.mark.parametrize(
    "hidden",
    [
        '<div aria-hidden="true">secret</div>',
        "<div hidden>secret</div>",
        '<p style="display: none">secret</p>',
        "<style>secret</style>",
        "<script>secret</script>",
        "<div hidden>secret<br><p>secret</p><table><tr><td>secret</td></tr></table></div>",
    ],
)
def test_what_is_hidden_in_html_is_not_in_the_text(hidden: str) -> None:
    assert plain_text(f"<p>before</p>{hidden}<p>after</p>") == "before\n\nafter\n"


def test_lists_keep_their_items_and_line_breaks_their_lines() -> None:
    html = "<p>one<br>two</p><ul><li>Ink</li><li><p>Soap</p></li></ul><ol><li>First</li></ol>"
    assert plain_text(html) == "one\ntwo\n\n- Ink\n- Soap\n\n1. First\n"


def test_a_link_that_is_never_closed_ends_where_the_next_begins() -> None:
    html = '<p><a href="https://x.example/1">One <a href="https://x.example/2">Two</a> three</p>'
    assert plain_text(html) == "One <https://x.example/1>Two <https://x.example/2> three\n"


@pytest.mark.parametrize(
    "name",
    [
        *("address", "article", "aside", "blockquote", "center", "dd", "details", "dialog", "div"),
        *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4"),
        *("h5", "h6", "header", "legend", "main", "nav", "p", "pre", "section", "summary", "ul"),
    ],
)
def test_a_block_never_glues_its_words_to_the_next(name: str) -> None:
    blocks = f"<{name}>one</{name}><{name}>two</{name}>"
    assert plain_text(f"{blocks}three").split() == ["one", "two", "three"]
    cells = plain_text(f"<table><tr><td>{blocks}</td><td>three</td></tr></table>")
    assert cells == "one  three\ntwo\n"
    link = plain_text(f'<a href="https://x.example/">{blocks}</a>')
    assert link == "one two:\nhttps://x.example/\n"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<ol start=3><li>a<li value="9">b</li><li>c</ol>', "3. a\n9. b\n10. c\n"),
        ('<ol start="0"><li>a</ol><ol start="x"><li>b</ol>', "0. a\n\n1. b\n"),
        ("<menu><li>a</menu>b", "- a\n\nb\n"),
        ("<ul><li>a<ol><li>b</ol><li>c</ul>d", "- a\n  1. b\n- c\n\nd\n"),
        (
            f"<ul><li>a<ul><li>{'b ' * 40}</ul></ul>",
            f"- a\n  - {('b ' * 36).strip()}\n    b b b b\n",
        ),
        (
            "<table><tr><td>x<ol start=2><li>a<li>b</ol></td><td>y</td></tr></table>",
            "x     y\n2. a\n3. b\n",
        ),
        ("<dl><dt>Order</dt><dd>7K3M</dd><dt>Paid</dt><dd>no</dl>", "Order\n7K3M\n\nPaid\nno\n"),
    ],
)
def test_lists_keep_their_numbers_and_their_depth(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<pre>\none\n  two   x\n\n\tthree</pre>y", "one\n  two   x\n\n        three\n\ny\n"),
        ("<p>a <b>b</b><pre><code>c  \nd</code></pre>", "a b\n\nc\nd\n"),
        ("<table><tr><td><pre>a\n  b</pre></td><td>c</td></tr></table>", "a    c\n  b\n"),
        ("<pre>a\n\n\nb\n</pre>c", "a\n\n\nb\n\nc\n"),
        ("<p>a</p><hr><p>b</p>c<hr/>d", "a\n\nb\n\nc\n\nd\n"),
    ],
)
def test_preformatted_lines_stay_and_rules_leave_nothing(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ('<a href="mailto:a@b.example?subject=x">a@b.example</a>', "a@b.example"),
        ('<a href="MAILTO:a%2Bc@b.example?subject=x&amp;body=y">Us</a>', "Us <a+c@b.example>"),
        ('<a href="mailto:?subject=x">Tell a friend</a>', "Tell a friend"),
        ('<a href="tel:+49301234">+49301234</a>', "+49301234"),
        ('<a href="#items">Items</a>', "Items"),
    ],
)
def test_a_link_says_an_address_that_people_can_use(link: str, text: str) -> None:
    assert plain_text(f"<p>By {link} now</p>") == f"By {text} now\n"


def test_a_table_in_a_cell_becomes_lines_of_the_cell() -> None:
    inner = "<tr><th>in1</th><td>in2</td></tr><tr><td>in3</td><td>in4</td></tr>"
    for role in ("", ' role="presentation"'):
        html = f"""<table><tr><th scope="col">A</th><th scope="col">B</th></tr>
        <tr><td>out1</td><td>before<table{role}><caption>inner</caption>{inner}</table>after</td></tr>
        <tr><td>out2</td><td>out3</td></tr></table><p>end</p>"""
        assert plain_text(html) == (
            "A     B\n"
            "-------------\n"
            "out1  before\n"
            f"{'':6}inner\n"
            f"{'':6}in1 in2\n"
            f"{'':6}in3 in4\n"
            f"{'':6}after\n"
            "out2  out3\n"
            "\n"
            "end\n"
        )


def test_a_long_caption_wraps() -> None:
    text = plain_text(f"<table><caption>{'word ' * 30}<br>x</caption><tr><td>a</td></tr></table>")
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "word x\n\na\n" in text


@pytest.mark.parametrize(
    "words",
    [
        "O'Reilly & Sons",
        "1. first",
        "- dash",
        "+ plus",
        "back\\slash \\* \\_",
        "<script>alert(1)</script>",
        "**bold** _it_ `code` [a](b) | pipe",
        "# heading",
        "{{7*7}}",
        "50% * 2",
    ],
)
def test_peoples_words_come_through_as_they_are(words: str) -> None:
    assert plain_text(f"<p>{escape(words)}</p>") == f"{words}\n"


def test_a_hard_space_keeps_an_amount_together() -> None:
    text = plain_text(f"<p>{'x' * 70} 24,00\N{NO-BREAK SPACE}€ now</p>")
    assert "24,00\N{NO-BREAK SPACE}€" in text


def test_marks_written_as_entities_cannot_pose_as_ours() -> None:
    assert plain_text('<p>a&#xE000;0&#xE006;<img alt="b&#xE001;">c</p>') == "a0bc\n"


def test_marks_in_peoples_words_cannot_pose_as_ours() -> None:
    assert plain_text("<p>a\ue0000\ue005b\ue00199\ue005</p>") == "a0b99\n"


words = st.text(
    st.characters(categories=("L", "N", "P", "S"), exclude_characters="\ue000\ue001"),
    min_size=1,
    max_size=90,
)


@given(st.lists(words, min_size=1, max_size=30))
def test_no_word_is_lost_and_no_line_is_too_long(said: list[str]) -> None:
    text = plain_text(f"<p>{escape(' '.join(said))}</p>")
    joined = re.sub(r"\s", "", text)
    assert joined == re.sub(r"\s", "", " ".join(said))


@pytest.mark.parametrize("colspan", ["x", "", "0", "-1", "100000000"])
def test_a_cell_that_claims_a_strange_number_of_columns_breaks_nothing(colspan: str) -> None:
    html = (
        "<table><tr><th>Item</th><th>Amount</th></tr>"
        f'<tr><td colspan="{colspan}">Tea</td></tr></table>'
    )
    text = plain_text(html)
    assert "Tea" in text
    assert len(text) < 1000
