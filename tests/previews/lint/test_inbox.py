"""A6: what an inbox shows."""

from tests.previews.lint.broken import Email, broken, is_found_out

SECRET = "s4mpl3" * 7


@broken(
    {
        "a short subject": (Email(subject="Receipt"), "A6", "has 7 characters"),
        "a long subject": (Email(subject="Receipt no. 4711 " * 4 + "!"), "A6", "has 69 characters"),
        "the sender in the subject": (
            Email(subject="Pillarbox: your receipt"),
            "A6",
            "begins with the sender",
        ),
        "a secret in the subject": (
            Email(kind="password_reset", sample="long", subject=f"Reset by {SECRET}"),
            "A6",
            "shows the secret",
        ),
        "a secret in the preheader": (
            Email(
                kind="password_reset",
                sample="long",
                html=(("The link in this email works once", f"The link is {SECRET}"),),
            ),
            "A6",
            "shows the secret",
        ),
        "no preheader": (
            Email(html=(('<div class="preheader"', '<!-- "'), ("</div>", "-->"))),
            "A6",
            "has no preheader",
        ),
        "a short preheader": (
            Email(kind="welcome", html=(("Your email address is confirmed. You can", "You can"),)),
            "A6",
            "the preheader has 28 characters",
        ),
        "a preheader that repeats the heading": (
            Email(html=(("Please keep this email", "Thank you for your order"),)),
            "A6",
            "repeats 'Thank you for your order'",
        ),
        "a preheader half hidden": (
            Email(html=((";mso-hide:all", ""),)),
            "A6",
            "lacks mso-hide:all",
        ),
        "tiny text": (
            Email(kind="welcome", html=(("font-size:12px", "font-size:1px"),)),
            "A6",
            "1px high",
        ),
        "more fine print than message": (
            Email(kind="welcome", html=(("font-size:16px", "font-size:14px"),)),
            "A6",
            "letters are smaller than 16px",
        ),
        "small text that programs drop": (
            Email(html=(("<strong>", "<small>"), ("</strong>", "</small>"))),
            "A6",
            "<small>: programs drop it",
        ),
    }
)
def test_a_wrong_subject_or_preheader_is_found(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
