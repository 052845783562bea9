"""A path from a query never leads to another site."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.links import local_path


@pytest.mark.parametrize("path", ["/", "/account", "/orders/AB-12?page=2", "/caf%C3%A9#top"])
def test_a_path_of_this_site_passes(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "account",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n//evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        " /account",
        "/account ",
        "/caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        "/" + "x" * 2_000,
    ],
)
def test_everything_else_does_not(value: str | None) -> None:
    assert local_path(value) is None


@given(st.text(alphabet="/\\.:@?#%\t\nab", max_size=12))
def test_what_passes_stays_on_the_site(value: str) -> None:
    path = local_path(value)
    if path is not None:
        assert urlsplit(urljoin("https://shop.example/sign-in", path)).netloc == "shop.example"
