"""The table that the benchmark prints."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One contender, and its figures as the table shows them."""

    who: str
    figures: Sequence[str]


@dataclass(frozen=True)
class Section:
    """The result of one benchmark. ``target`` is the figure that we aim at."""

    title: str
    columns: Sequence[str]
    lines: Sequence[Line]
    target: str

    def __str__(self) -> str:
        widths = [max(len(column), 10) for column in self.columns]
        head = "  ".join(
            f"{name:>{width}}" for name, width in zip(self.columns, widths, strict=True)
        )
        rows = [f"{self.title:<{_FIRST}}  {head}"]
        for line in self.lines:
            figures = zip(line.figures, widths, strict=True)
            cells = "  ".join(f"{figure:>{width}}" for figure, width in figures)
            rows.append(f"  {line.who:<{_FIRST - 2}}  {cells}")
        return "\n".join([*rows, f"  target: {self.target}", ""])


_FIRST = 62


def number(value: float) -> str:
    """``value`` with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float) -> str:
    """``value`` as a multiple: ``2.5 x``."""
    return f"{value:.2f} x"
