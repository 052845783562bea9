"""docs/monitoring.md names the metrics and the values of labels that the code has."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyramid.router import Router
from webtest import TestApp

from app.operations.metrics import text_of
from app.staff.email_words import EVENTS, OUTCOMES, STATES
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite

PAGE = Path(__file__).parents[2].joinpath("docs", "monitoring.md").read_text("utf-8")
RULES = "\n".join(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))


@on_sqlite
def test_every_metric_is_in_the_table_and_alerts_use_no_other(app: Router) -> None:
    families = text_string_to_metric_families(text_of(app.registry).decode())
    # A counter's series end with _total.
    metrics = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families
        if family.name.startswith("pillarbox_")
    }
    assert set(re.findall(r"(?m)^\| `(pillarbox_\w+)", PAGE)) == metrics
    used = set(re.findall(r"\bpillarbox_[a-z_]+(?=[{\[)])", RULES))
    assert used
    assert used <= metrics


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
