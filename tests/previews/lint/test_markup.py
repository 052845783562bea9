"""A7: HTML that every mail program and screen reader understands."""

from tests.previews.lint.broken import Email, broken, is_found_out


@broken(
    {
        "no doctype": (Email(html=(("<!DOCTYPE html>", ""),)), "A7", "has no doctype"),
        "the wrong lang": (Email(html=(('lang="en"', 'lang="de"'),)), "A7", "its lang is not en"),
        "the wrong direction": (
            Email(html=((' dir="ltr"', ' dir="rtl"'),)),
            "A16",
            "its dir is not ltr",
        ),
        "a late character set": (
            Email(html=(("<html", f"<!--{'x' * 600}--><html"),)),
            "A7",
            "first 1024 octets",
        ),
        "no viewport": (Email(html=(('name="viewport"', 'name="view"'),)), "A7", "<meta> viewport"),
        "no colour scheme": (
            Email(html=(('name="color-scheme"', 'name="colour-scheme"'),)),
            "A7",
            "<meta> color-scheme",
        ),
        "another title": (Email(html=(("<title>", "<title>A "),)), "A7", "is not the subject"),
        "a data table with a role": (
            Email(html=(('<table class="lines"', '<table role="presentation" class="lines"'),)),
            "A7",
            "holds data and has a role",
        ),
        "a layout table without a role": (
            Email(html=((' role="presentation"', ""),)),
            "A7",
            "has neither headers nor the role presentation",
        ),
        "a header without scope": (Email(html=((' scope="col"', ""),)), "A7", "has no scope"),
        "two headings": (Email(html=(("</h1>", "</h1><h1></h1>"),)), "A7", "has 2 <h1>"),
        "a frame": (Email(html=(("</h1>", "</h1><iframe></iframe>"),)), "A7", "<iframe>"),
        "a script": (
            Email(html=(("</h1>", "</h1><script>x()</script>"),)),
            "A7",
            "no mail program",
        ),
        "a handler": (Email(html=(("<h1", '<h1 onclick="x()"'),)), "A7", "onclick runs nowhere"),
        "an image without alt": (
            Email(html=(("</h1>", '</h1><img src="https://shop.example/logo.png">'),)),
            "A7",
            "has no alt",
        ),
        "a tracking pixel": (
            Email(html=(("</h1>", '</h1><img src="https://shop.example/1" alt="" width="1">'),)),
            "A7",
            "tracking pixel",
        ),
        "a font without a family": (
            Email(html=((", Arial, sans-serif", ", Arial"),)),
            "A7",
            "ends with Arial",
        ),
    }
)
def test_html_that_some_cannot_read_is_found_out(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
