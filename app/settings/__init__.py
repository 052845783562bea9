"""The settings: from the .ini file and the environment into one checked, typed `Settings` object.
What a setting switches on stands in the room that uses it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyramid.config import Configurator

from app.settings.declarations import Settings, all_settings, build
from app.settings.rules import derived_defaults, rules
from app.settings.sources import Sources, environment


class SettingsError(Exception):
    """All problems of a configuration. `str(error)` has a line for each, and never a secret."""


def load(
    values: Mapping[str, Any],
    *,
    here: Path,
    source: str,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read and check the `values` of the .ini file `source`. Variables in `environ` win over them.
    By default these are the process's.

    Relative paths start at `here`, the .ini's folder. Raises `SettingsError` with all problems at
    once.
    """
    settings = {setting.name: setting for setting in all_settings()}
    sources = Sources(values, source, here, environment() if environ is None else environ)
    problems = dict(sources.unknown_names(list(settings)))
    written: dict[str, str] = {}
    places: dict[str, str] = {}
    value: dict[str, Any] = dict.fromkeys(settings)

    def refuse(name: str, problem: object) -> None:
        """Note the first problem of a setting. Later ones only follow from it."""
        problems.setdefault(name, f"{name}: {problem}{places.get(name, '')}")

    for name, setting in settings.items():
        try:
            written[name], places[name] = sources.find(name)
            if text := written[name] or setting.default:
                value[name] = setting.read(text, here)
        except ValueError as error:
            refuse(name, error)
    for name, setting in settings.items():
        if value["environment"] in setting.required_in and not written.get(name):
            refuse(name, f"is not set ({setting.meaning})")
    for is_broken, names, problem in rules(value):
        # A rule says nothing about a setting that has a problem already.
        if is_broken and not problems.keys() & set(names):
            refuse(names[0], problem)

    if problems:
        raise SettingsError("\n".join(problems.values()))
    checked: Settings = build(value | derived_defaults(value))
    return checked


def includeme(config: Configurator) -> None:
    """Give the application its settings as ``registry.pillarbox``.

    PasteDeploy passes the .ini's folder and path as `here` and `__file__`.
    """
    values = config.registry.settings
    config.registry.pillarbox = load(
        values,
        here=Path(values.get("here", "")).absolute(),
        source=Path(values.get("__file__", "the application's settings")).name,
    )
