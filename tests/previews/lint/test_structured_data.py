"""A14: a purchase as structured data."""

from tests.previews.lint.broken import Email, broken, is_found_out


@broken(
    {
        "no structured data": (
            Email(
                html=(
                    ("application/ld+json", "application/json"),
                    ("<script", "<!--"),
                    ("</script>", "-->"),
                )
            ),
            "A14",
            "no structured data",
        ),
        "structured data that is no JSON": (
            Email(html=(('{"@context"', '{@context"'),)),
            "A14",
            "is no JSON",
        ),
        "structured data of something else": (
            Email(html=(('"@type":"Order"', '"@type":"Invoice"'),)),
            "A14",
            "describes no Order",
        ),
        "an order without a merchant": (
            Email(html=(('"merchant"', '"seller"'),)),
            "A14",
            "lacks merchant",
        ),
        "a price in words": (
            Email(html=(('"price":"24.00","accept', '"price":"€24","accept'),)),
            "A14",
            "no plain decimal",
        ),
        "a currency by its sign": (
            Email(html=(('"priceCurrency":"EUR"', '"priceCurrency":"€"'),)),
            "A14",
            "is no code",
        ),
        "two order numbers": (
            Email(html=(('"orderNumber":"7', '"orderNumber":"8'),)),
            "A14",
            "names another order",
        ),
        "a relative address": (
            Email(html=(('"url":"https://shop.example', '"url":"'),)),
            "A14",
            "its url is not absolute",
        ),
    }
)
def test_a_purchase_described_wrongly_is_found_out(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
