"""A9: buttons, amounts and widths."""

from tests.previews.lint.broken import Email, broken, is_found_out, said

BUTTON = "padding:11px 28px;font-size:16px;line-height:24px"
AMOUNT = "white-space:nowrap;padding:3px 0 9px 16px"
PAID = "Test payment: nothing was charged."
FORTY_LETTERS = "Donaudampfschifffahrtsgesellschaftskapitaen"


@broken(
    {
        "a low button": (
            Email(html=((BUTTON, BUTTON.replace("11px", "9px")),)),
            "A9",
            "in a browser the button is 42 px high",
        ),
        "a button that is low in Outlook": (
            Email(html=(("mso-padding-alt:13px", "mso-padding-alt:5px"),)),
            "A9",
            "in Outlook the button is 34 px high",
        ),
        "a button in the line": (
            Email(html=(("display:inline-block;", ""),)),
            "A9",
            "has no height as a button",
        ),
        "a button of unknown height": (
            Email(html=((BUTTON, BUTTON.replace("24px", "1.5")),)),
            "A9",
            "line-height is not in px",
        ),
        "a button without a cell": (
            Email(html=(('<td class="button" bgcolor="#b3261e"', '<td class="button"'),)),
            "A9",
            "stands in no coloured cell",
        ),
        "a button drawn with borders": (
            Email(html=((BUTTON, BUTTON + ";border:1px solid #b3261e"),)),
            "A9",
            "is drawn with borders",
        ),
        "an amount that may wrap": (
            Email(html=((AMOUNT, AMOUNT.partition(";")[2]),)),
            "A9",
            "an amount may wrap",
        ),
        "an amount that breaks": (said(PAID, "You paid € 24."), "A9", "'€ 2' may be broken"),
        "a wide table": (
            Email(html=(('class="lines" border="0" width="100%"', 'class="lines" width="560"'),)),
            "A9",
            "wider than 320 px",
        ),
        "a width that Outlook ignores": (
            Email(html=(("max-width:600px", "max-width:560px"),)),
            "A9",
            "Outlook ignores max-width",
        ),
        "an endless word": (
            Email(
                html=(
                    (";overflow-wrap:anywhere;word-break:break-word", ""),
                    ("Thank you for your order", FORTY_LETTERS),
                ),
                text=(("Thank you for your order", FORTY_LETTERS),),
            ),
            "A9",
            "a long word",
        ),
    }
)
def test_what_does_not_fit_a_thumb_or_a_screen_is_found(
    email: Email, rule: str, words: str
) -> None:
    assert is_found_out(email, rule, words)
