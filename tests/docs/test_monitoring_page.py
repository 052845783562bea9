"""docs/monitoring.md names the metrics and labels that exist, and so do its alerts."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyramid.router import Router
from webtest import TestApp

from app.mail.outbox.tables import State
from app.operations.metrics import text_of
from app.staff.email_words import EVENTS, OUTCOMES, STATES
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox

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


@on_sqlite
def test_the_table_has_every_metric_with_its_labels_and_type(app: Router) -> None:
    table = re.findall(r"^\| `(\w+)(?:\{([\w,]+)\})?` \| (\w+) \|", PAGE, re.MULTILINE)
    on_page = {name: (type, set(filter(None, labels.split(",")))) for name, labels, type in table}
    assert on_page == {name: (type, labels) for name, (type, labels, _) in metrics(app).items()}


@on_sqlite
def test_the_alerts_ask_for_series_that_exist_from_the_start(app: Router) -> None:
    existing = metrics(app)
    # Prometheus itself makes the series `up`.
    ours = [rule for rule in RULES if not rule[1].startswith("up{")]
    assert len(ours) == len(RULES) - 1 >= 5
    for alert, expression in ours:
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


@on_sqlite
def test_this_machine_needs_the_token_where_a_proxy_on_it_is_trusted(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    proxied = {"server.trusted_proxies": "127.0.0.1", "metrics.token": "t" * 32}
    this_machine = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:6543"}
    browser = TestApp(make_app(settings_values | proxied), extra_environ=this_machine)
    browser.get("/metrics", status=401)
    browser.get("/metrics", headers={"Authorization": "Bearer " + "t" * 32}, status=200)


@pytest.mark.parametrize(
    ("label", "words"), [("state", STATES), ("outcome", OUTCOMES), ("event", EVENTS)]
)
def test_every_value_of_a_label_stands_with_the_words_of_the_browser(
    label: str, words: dict[str, str]
) -> None:
    rows = re.findall(rf"(?m)^\| `{label}` \| `([^`]+)` \| (.*) \|$", PAGE)
    assert dict(rows) == {str(value): str(text) for value, text in words.items()}
    assert len(rows) == len(words)
