"""``pillarbox lint``: no findings for the shop's emails, and a readable line for each finding."""

from pathlib import Path

from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import shop_settings, write_ini

SETTINGS = shop_settings("sqlite://", base_url="https://shop.example", domain="shop.example")


def test_a_shop_as_it_is_delivered_has_no_findings(tmp_path: Path, pillarbox: Pillarbox) -> None:
    result = pillarbox("lint", write_ini(tmp_path / "shop.ini", SETTINGS))
    assert "No findings." in result.output


def test_a_fault_in_every_email_is_told_once_and_ends_with_code_1(
    tmp_path: Path, pillarbox: Pillarbox
) -> None:
    ini = write_ini(
        tmp_path / "shop.ini", SETTINGS | {"site.support_email": "noreply@shop.example"}
    )
    result = pillarbox("lint", ini, code=1)
    told = [line for line in result.output.splitlines() if line.startswith("A")]
    assert told == [
        "A4: header Reply-To: nobody reads the replies. Name site.support_email.",
    ]
    assert "in test_message.short.en (both) and " in result.output
    assert "Error: Findings: 1, in " in result.output
