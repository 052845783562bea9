"""A12: the text says what the HTML says."""

from tests.previews.lint.broken import Email, broken, is_found_out


@broken(
    {
        "a wide line": (
            Email(kind="welcome", text=(("with this\naddress", "with this address"),)),
            "A12",
            "text, line 3: has 147 columns",
        ),
        "a broken link": (
            Email(text=(("shop.example/orders/", "shop.example/orders/\n"),)),
            "A12",
            "lacks this link",
        ),
        "a lost amount": (
            Email(text=(("2 × €12.00", "2 ×"),)),
            "A12",
            "lacks the amount or number '€12.00'",
        ),
        "a lost word": (Email(text=(("Letter paper", "Paper"),)), "A12", "lacks the word 'Letter'"),
        "a word too many": (
            Email(text=(("Thank you", "Thank you very"),)),
            "A12",
            "says 'very' more often than the HTML",
        ),
        "amounts out of line": (
            Email(text=(("€20.17\n", " €20.17\n"),)),
            "A12",
            "do not end in one column",
        ),
        "an amount within its row": (
            Email(text=(("€3.83\n", "€3.83 in all\n"),)),
            "A12",
            "no line with its amounts",
        ),
    }
)
def test_a_text_that_says_less_or_more_is_found_out(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
