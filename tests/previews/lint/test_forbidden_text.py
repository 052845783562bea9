"""A12 and A15: leftovers of templates and unconfirmed text."""

from tests.previews.lint.broken import Email, broken, is_found_out, said, source

PAID = "Test payment: nothing was charged."


@broken(
    {
        "a template's tag": (said(PAID, "{{ paid }}"), "A12", "'{{' is a tag of a template"),
        "a name unfilled": (
            said(PAID, "%(paid)s"),
            "A12",
            "'%(paid)s' is a placeholder without",
        ),
        "a missing value": (said(PAID, "Paid with None"), "A12", "is a missing value"),
        "a value of Python": (said(PAID, "Decimal(1)"), "A12", "is how Python shows a value"),
        "escaped twice": (
            Email(html=((f">{PAID}<", ">You &amp;amp; we<"),), text=((PAID, "You &amp; we"),)),
            "A12",
            "'&amp;' was escaped twice",
        ),
        "bold in Markdown": (Email(text=((PAID, f"**{PAID}**"),)), "A12", "is Markdown for bold"),
        "a link in Markdown": (
            Email(text=(("View your order:", "[View your order]("),)),
            "A12",
            "a link of",
        ),
        "an escape of Markdown": (
            Email(text=(("charged.", "charged\\."),)),
            "A12",
            "is escaped for",
        ),
        "a heading of Markdown": (
            Email(text=(("Thank you", "# Thank you"),)),
            "A12",
            "a heading of",
        ),
        "a border": (Email(text=(("  €24.00", "| €24.00"),)), "A12", "is a border of a table"),
        "a tag of HTML": (Email(text=((PAID, f"<b>{PAID}</b>"),)), "A12", "is a tag of HTML"),
        "a mark of our own": (Email(text=((PAID, f"\ue010{PAID}"),)), "A12", "private use"),
        "a stranger's name": (
            Email(kind="confirm_address", source=source("To: ada@", "To: Buy now <ada@")),
            "A15",
            "'Buy now' may be a stranger's words",
        ),
    }
)
def test_forbidden_text_is_found(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
