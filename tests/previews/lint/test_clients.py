"""Features that mail programs lack."""

import json

import pytest

from app.previews.lint import clients
from app.previews.lint.document import Document
from app.previews.preview import compose_preview, previews_of
from scripts import client_support
from tests.previews.lint.broken import REGISTRY, Email, broken, is_found_out


@broken(
    {
        "a flexible box": (
            Email(
                html=(
                    (
                        "margin:0 0 4px;font-size:18px",
                        "margin:0 0 4px;display:flex;font-size:18px",
                    ),
                )
            ),
            "clients",
            "display:flex is lacking in ",
        ),
        "a feature of HTML that few know": (
            Email(html=(("<h1", '<h1 popover=""'),)),
            "clients",
            "popover attribute is lacking in ",
        ),
    }
)
def test_what_a_mail_program_lacks_is_found_out(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)


@pytest.mark.parametrize(
    ("style", "feature"),
    [
        ("margin-top:1px", "css-margin"),
        ("border-top-left-radius:1px", "css-border-top-left-radius"),
        ("display:inline-flex", "css-display-flex"),
        ("font-family:system-ui", "css-sytem-ui"),
        ("width:calc(1px + 1rem)", "css-unit-calc"),
        ("width:calc(1px + 1rem)", "css-unit-rem"),
        ("color:rgb(1,2,3)", "css-rgb"),
        ("width:50%", "css-unit-percent"),
        ("color:#123456 !important", "css-important"),
    ],
)
def test_css_goes_by_the_names_of_can_i_email(style: str, feature: str) -> None:
    assert feature in dict(clients.features(Document(f'<p style="{style}">')))


def test_what_was_reviewed_is_in_use_and_really_lacking() -> None:
    """A feature that no email uses, or no program lacks, needs no review."""
    used = {
        feature
        for kind in REGISTRY.email_kinds
        for preview in previews_of(REGISTRY, kind)
        for feature, _ in clients.features(
            Document(compose_preview(REGISTRY, preview).html_body or "")
        )
    }
    assert set(clients.REVIEWED) <= used & clients.table().keys()


def test_the_table_is_made_of_what_the_newest_test_of_each_program_says() -> None:
    data = {
        "last_update_date": "2026-06-29 16:42:09 +0000",
        "data": [
            {
                "slug": "css-gap",
                "title": "gap ",
                "category": "css",
                "last_test_date": "2022-12-28",
                "stats": {
                    "gmail": {"desktop-webmail": {"2019": "y", "2022": "n #1"}},
                    "outlook": {"windows": {"2019": "n", "2021": "a #2"}, "macos": {"16": "u"}},
                    "nobody-knows": {"ios": {"1": "n"}},
                },
            },
            {
                "slug": "css-color",
                "title": "color",
                "category": "css",
                "last_test_date": "2022-12-28",
                "stats": {"gmail": {"ios": {"2019": "y"}}},
            },
            {
                "slug": "image-webp",
                "title": "webP",
                "category": "image",
                "last_test_date": "2021-02-06",
                "stats": {"gmail": {"ios": {"2019": "n"}}},
            },
        ],
    }
    made = client_support.table(data)
    assert made["date"] == "2026-06-29"
    assert made["features"] == {
        "css-gap": {"title": "gap", "tested": "2022-12-28", "lacking": ["Gmail"]}
    }
    assert json.loads(client_support.table_json(made)) == made


def test_the_table_that_the_lint_uses_is_as_the_script_writes_it() -> None:
    text = client_support.TABLE.read_text("utf-8")
    table = json.loads(text)
    assert client_support.table_json(table) == text
    assert table["licence"] == client_support.LICENCE
    named = {name for feature in table["features"].values() for name in feature["lacking"]}
    assert named <= set(client_support.CLIENTS.values())
