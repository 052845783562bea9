"""A10 and A11: links, the reason, and who answers."""

from dataclasses import replace

from app.mail import BodyFormat
from app.previews.lint import Expected
from tests.previews.lint.broken import Email, broken, is_found_out, said

ORDER_LINK = 'href="https://shop.example/orders/7K3M-9QXW-2TBC"'


def with_secret(expected: Expected) -> Expected:
    return replace(expected, kind=replace(expected.kind, carries_secret=True))


@broken(
    {
        "a link without TLS": (
            Email(
                html=((ORDER_LINK, ORDER_LINK.replace("https:", "http:")),),
                text=(("https://shop.example/orders", "http://shop.example/orders"),),
            ),
            "A10",
            "is no absolute https address",
        ),
        "a link to somewhere else": (
            Email(
                html=((ORDER_LINK, ORDER_LINK.replace("shop.example", "click.example")),),
                text=(("shop.example/orders", "click.example/orders"),),
            ),
            "A10",
            "leads to click.example, not to https://shop.example",
        ),
        "a link to somewhere else in a text": (
            Email(sent_as=BodyFormat.TEXT, text=(("shop.example/orders", "click.example/orders"),)),
            "A10",
            "leads to click.example",
        ),
        "a link that names the reader": (
            Email(
                html=((ORDER_LINK, ORDER_LINK.replace("TBC", "TBC?for=ada%40example.org")),),
                text=(("2TBC\n\nOrder", "2TBC?for=ada%40example.org\n\nOrder"),),
            ),
            "A10",
            "names a person",
        ),
        "a link that does not say where": (
            said("View your order", "Click here"),
            "A10",
            "'Click here' does not say where it leads",
        ),
        "a link that lies": (
            said("View your order", "https://bank.example"),
            "A10",
            "shows one address and leads to another",
        ),
        "an image from elsewhere": (
            Email(html=(("</h1>", '</h1><img src="https://cdn.example/logo.png" alt="">'),)),
            "A10",
            "loads from elsewhere",
        ),
        "no one to ask": (
            Email(
                kind="welcome",
                html=(("mailto:help@shop.example", "https://shop.example/help"),),
                text=(("help@shop.example", "help@shop.example <https://shop.example/help>"),),
            ),
            "A11",
            "does not link to site.support_email",
        ),
        "no one to ask in the text": (
            Email(kind="welcome", sent_as=BodyFormat.TEXT, text=(("help@", "us@"),)),
            "A11",
            "does not name site.support_email",
        ),
        "no reason": (
            Email(html=(('<span class="reason"', '<span class="note"'),)),
            "A11",
            "does not say why it came",
        ),
        "no end of the link's life": (
            Email(
                kind="password_reset",
                html=(("30 minutes", "time"),),
                text=(("30 minutes", "time"),),
            ),
            "A11",
            "does not say '30 minutes'",
        ),
        "a secret whose life nobody knows": (
            Email(kind="welcome", expected=with_secret),
            "A11",
            "does not say how long the link lives",
        ),
    }
)
def test_wrong_links_and_missing_reasons_are_found(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
