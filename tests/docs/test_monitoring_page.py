"""docs/monitoring.md names the metrics and labels that exist, and so do its alerts."""

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from pyramid.router import Router

from app.mail.outbox.tables import State
from app.operations.metrics import text_of
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox

pytestmark = on_sqlite
PAGE = Path(__file__).parents[2].joinpath("docs", "monitoring.md").read_text("utf-8")
RULES = re.findall(r"- alert: (\w+)\n\s+expr: (.*?)\n\s+(?:for|annotations):", PAGE, re.DOTALL)
NAMES = re.compile(r"\b(pillarbox_\w+)(?:\{(\w+)(=~?)\"([\w|]+)\"\})?")


def metrics(app: Router) -> dict[str, tuple[str, set[str], list[dict[str, Any]]]]:
    """The type, the label names and the labels of each metric that Prometheus gets."""
    outbox = Outbox(app.registry)
    outbox.write(1)
    found = {}
    for family in text_string_to_metric_families(text_of(app.registry).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = [dict(sample.labels) for sample in family.samples]
        names = {name for each in labels for name in each} - {"le"}
        found[name] = family.type, names, labels
    return found


def test_the_table_has_every_metric_with_its_labels_and_type(app: Router) -> None:
    table = re.findall(r"^\| `(\w+)(?:\{([\w,]+)\})?` \| (\w+) \|", PAGE, re.MULTILINE)
    on_page = {name: (type, set(filter(None, labels.split(",")))) for name, labels, type in table}
    assert on_page == {name: (type, labels) for name, (type, labels, _) in metrics(app).items()}


def test_the_alerts_ask_for_series_that_exist_from_the_start(app: Router) -> None:
    existing = metrics(app)
    assert len(RULES) == 5
    for alert, expression in RULES:
        selectors = NAMES.findall(expression)
        assert selectors, alert
        for name, label, _, values in selectors:
            _, labels, series = existing[name]
            assert not label or label in labels, alert
            for value in filter(None, values.split("|")):
                assert value in set(State), alert
                assert value in {each[label] for each in series}, alert
        for labels in re.findall(r"by \((\w+)\)", expression):
            assert all(labels in existing[name][1] for name, *_ in selectors), alert
