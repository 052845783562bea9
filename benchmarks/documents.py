"""What it takes to make the PDF of a receipt, and how large it is."""

import time
from statistics import median

from benchmarks.databases import Databases
from benchmarks.table import Line, Section, number
from tests.support.documents import pdf_of, postcards, receipt


def run(databases: Databases, *, quick: bool) -> Section:
    """Render receipts, each with another number, in one thread."""
    times = 3 if quick else 100
    lines = []
    for count in (1, 5, 100):
        content = postcards(count)
        spent = []
        for turn in range(times + 1):
            one = receipt(*content, number=f"2026-{turn:06}")
            begun = time.perf_counter()
            size = len(pdf_of(one))
            spent.append((time.perf_counter() - begun) * 1000)
        # The first one reads the fonts and the template.
        del spent[0]
        figures = [number(median(spent)), number(size / 1000)]
        lines.append(Line(f"{count} lines" if count > 1 else "1 line", figures))
    return Section(
        "PDF of a receipt, tagged, as PDF/A-2a and PDF/UA-1",
        ["median ms", "kB"],
        lines,
        "5 lines: <= 5 ms and 30 kB; 100 lines: <= 40 ms and 100 kB",
    )
