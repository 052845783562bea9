"""Jinja2 for pages: it escapes, refuses undefined names and formats in the reader's language."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pyramid.config import Configurator
from pyramid.events import BeforeRender

from app.i18n import formats
from app.i18n.languages import DOMAIN, direction
from app.templates_folder import templates_folder
from app.web.links import has_route

TIME = Markup('<time datetime="{}">{}</time>')


@pass_context
def date(context: Context, value: datetime) -> Markup:
    """``{{ order.created_at|date }}``: a day, as a ``<time>`` element."""
    request = context["request"]
    zone = request.registry.pillarbox.site.time_zone
    day = value.astimezone(zone).date().isoformat()
    return TIME.format(day, formats.date(value, request.date_locale, zone))


@pass_context
def date_time(context: Context, value: datetime) -> Markup:
    """``{{ order.created_at|date_time }}``: a day and time, as a ``<time>`` element."""
    request = context["request"]
    zone = request.registry.pillarbox.site.time_zone
    # HTML takes at most three digits of a fraction of a second, and Python writes six.
    exact = value.isoformat(timespec="seconds")
    return TIME.format(exact, formats.date_time(value, request.date_locale, zone))


@pass_context
def translate(context: Context, message: str) -> str:
    """``{{ field.label.text|translate }}``: a text that Python code marks for translation."""
    return str(context["request"].localizer.translate(message))


def _localized(function: Callable[..., str]) -> Callable[..., str]:
    @pass_context
    def format_for_reader(context: Context, *values: Any) -> str:
        return function(*values, context["request"].locale_name)

    return format_for_reader


def _add_globals(event: BeforeRender) -> None:
    request = event["request"]
    if request is not None:
        event["site"] = request.registry.pillarbox.site
        event["link"] = request.link
        event["has_route"] = partial(has_route, request)


def includeme(config: Configurator) -> None:
    """Set up the ``.jinja2`` renderer on the ``templates`` folder.

    Its filters format in the reader's language: ``{{ 2400|money("EUR") }}``, given in minor units,
    ``{{ 1900|percent }}``, given in hundredths of a percent, and ``{{ lifetime|duration }}``.
    """
    filters: dict[str, Any] = {
        "money": _localized(formats.money),
        "percent": _localized(formats.percent),
        "decimal": _localized(formats.decimal),
        "number": _localized(formats.number),
        "date": date,
        "date_time": date_time,
        "duration": _localized(formats.duration),
        "translate": translate,
        "direction": direction,
    }
    config.add_settings(
        {
            "jinja2.undefined": "strict",
            "jinja2.trim_blocks": True,
            "jinja2.lstrip_blocks": True,
            "jinja2.newstyle": True,
            "jinja2.i18n.domain": DOMAIN,
            "jinja2.filters": filters,
            "jinja2.directories": str(templates_folder()),
        }
    )
    config.include("pyramid_jinja2")
    config.add_subscriber(_add_globals, BeforeRender)
