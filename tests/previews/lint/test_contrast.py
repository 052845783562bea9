"""A9: contrast in both palettes."""

from tests.previews.lint.broken import Email, broken, is_found_out

INK = "line-height:1.5;color:#23201d"


@broken(
    {
        "pale text": (
            Email(
                html=(
                    (
                        "font-size:12px;color:#5c554e",
                        "font-size:12px;color:#aaa",
                    ),
                )
            ),
            "A9",
            "in light surroundings #aaa on #ffffff has a contrast of 2.32",
        ),
        "text that could be darker": (
            Email(html=((INK, INK.replace("#23201d", "#767676")),)),
            "A9",
            "has a contrast of 4.54",
        ),
        "dark text in the dark": (
            Email(html=((".content, h1, tr.grand th", ".content, tr.grand th"),)),
            "A9",
            "in dark surroundings #23201d on #23201d has a contrast of 1.00",
        ),
        "a colour by name": (
            Email(html=((INK, INK.replace("#23201d", "ink")),)),
            "A9",
            "cannot be computed",
        ),
        "text on nothing": (
            Email(
                kind="welcome",
                html=(
                    ("padding:0;background-color:#f4f1ec", "padding:0"),
                    ("padding:0;background-color:#f4f1ec", "padding:0"),
                    ("background-color:#ffffff", "background-color:transparent"),
                    (".page { background-color", "b { background-color"),
                ),
            ),
            "A9",
            "in light surroundings #23201d stands on no colour",
        ),
        "a pale button": (
            Email(html=(("text-align:center", "text-align:center;background-color:#eeeeee"),)),
            "A9",
            "#ffffff on #eeeeee",
        ),
    }
)
def test_colours_that_are_too_close_are_found_out(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
