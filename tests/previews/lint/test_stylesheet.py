"""A8: styles that every mail program keeps."""

from tests.previews.lint.broken import Email, broken, is_found_out

INK = "line-height:1.5;color:#23201d"
PHONE_BLOCK = "@media (max-width: 480px) {"


@broken(
    {
        "a second style sheet": (
            Email(html=(("</style>", "</style><style></style>"),)),
            "A8",
            "a second style sheet",
        ),
        "a long style sheet": (
            Email(
                html=(
                    ("<head>", '<head><meta charset="utf-8">'),
                    ("</style>", f"/*{8200 * 'x'}*/</style>"),
                )
            ),
            "A8",
            "is longer than",
        ),
        "no style sheet": (
            Email(html=(("<style>", "<!--"), ("</style>", "-->"))),
            "A8",
            "has no <style>",
        ),
        "a rule that was not inlined": (
            Email(html=((PHONE_BLOCK, "p { margin: 0 !important } " + PHONE_BLOCK),)),
            "A8",
            "is in no at-rule",
        ),
        "a block for some": (
            Email(html=((PHONE_BLOCK, "@supports (color: red) { } " + PHONE_BLOCK),)),
            "A8",
            "@supports (color: red) is neither the phone block nor the dark block",
        ),
        "a third block": (
            Email(html=((PHONE_BLOCK, "@media print { } " + PHONE_BLOCK),)),
            "A8",
            "neither the phone block nor the dark block",
        ),
        "no phone block": (
            Email(html=((PHONE_BLOCK, "@media (max-height: 480px) {"),)),
            "A8",
            "has no phone block",
        ),
        "an at-rule in an at-rule": (
            Email(html=((PHONE_BLOCK, PHONE_BLOCK + " @supports (color: red) { }"),)),
            "A8",
            "holds an @",
        ),
        "a declaration that loses": (
            Email(html=(("padding: 0 !important", "padding: 0"),)),
            "A8",
            "weaker than what is inlined",
        ),
        "text without a size": (
            Email(html=((f"font-size:16px;{INK}", INK),)),
            "A8",
            "its text has no font-size",
        ),
        "a large email": (Email(html=(("</h1>", f"</h1><!--{'x' * 9000}-->"),)), "A8", "1 lines"),
    }
)
def test_styles_that_get_lost_are_found_out(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
