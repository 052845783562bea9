"""Where each setting came from, for a person who looks for the one that is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from app.settings.declarations import all_settings
from app.settings.sources import Sources, environment

_DATABASE = "database.url"


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting, its text as it may be shown, and its place: the .ini file, an environment
    variable, or its default.
    """

    name: str
    shown: str
    place: str


def origins(
    values: Mapping[str, Any], *, here: Path, source: str, environ: Mapping[str, str] | None = None
) -> Iterator[Origin]:
    """Every setting of the .ini file ``source`` with these ``values``. Secrets are masked.

    Call this with what ``load`` has accepted.
    """
    sources = Sources(values, source, here, environment() if environ is None else environ)
    for setting in all_settings():
        text, place = sources.find(setting.name)
        if not text:
            yield Origin(setting.name, setting.default, "default" if setting.default else "not set")
            continue
        if setting.name == _DATABASE:
            url = make_url(text)
            # libpq takes passwords from the query, too, such as sslpassword.
            masked = {name: "..." for name in url.query if "password" in name.lower()}
            text = url.update_query_dict(masked).render_as_string(hide_password=True)
        elif setting.is_secret:
            text = "(secret)"
        yield Origin(setting.name, " ".join(text.split()), place.removeprefix(", in "))
