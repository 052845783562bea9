"""The stylesheet: words are readable in light and dark (STANDARDS C5), and it stays small."""

import re
from pathlib import Path

import pytest

import app

STYLESHEET = Path(app.__file__).parent / "static" / "pillarbox.css"
CSS = STYLESHEET.read_text("utf-8")

TEXT = [
    ("ink", "paper"),
    ("ink", "sheet"),
    ("quiet", "paper"),
    ("quiet", "sheet"),
    ("link", "paper"),
    ("link", "sheet"),
    ("on-red", "red"),
    ("on-red", "red-pressed"),
]
EDGES = [
    ("edge", "paper"),
    ("edge", "sheet"),
    ("focus", "paper"),
    ("focus", "sheet"),
    ("red", "sheet"),
]


def palette(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))


LIGHT = palette(CSS[: CSS.index("@media (prefers-color-scheme: dark)")])
DARK = LIGHT | palette(
    CSS[CSS.index("@media (prefers-color-scheme: dark)") : CSS.index("*, ::before")]
)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_words_stand_out(colours: dict[str, str], front: str, back: str) -> None:
    assert contrast(colours[front], colours[back]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), EDGES)
def test_the_edges_of_fields_and_the_focus_ring_stand_out(
    colours: dict[str, str], front: str, back: str
) -> None:
    assert contrast(colours[front], colours[back]) >= 3


def test_it_asks_no_other_host_and_stays_small() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert len(CSS.encode()) < 14_000
