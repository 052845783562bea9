"""The stylesheets, scripts and images. A browser keeps a file for a year, and a changed file has
another address.
"""

from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pyramid.config import Configurator
from pyramid.path import AssetResolver
from pyramid.request import Request
from pyramid.static import QueryStringCacheBuster

FOLDER = "app:static"


class ContentHash(QueryStringCacheBuster):
    """Adds a hash of the file's content to its address."""

    def tokenize(self, request: Request, subpath: str, parts: dict[str, Any]) -> str:
        """The hash of the file at ``subpath``. Pyramid calls this for each link."""
        path = Path(AssetResolver().resolve(f"{FOLDER}/{subpath}").abspath())
        return _content_hash(path, path.stat().st_mtime_ns)


@lru_cache
def _content_hash(path: Path, modified_ns: int) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]


def includeme(config: Configurator) -> None:
    """Serve ``app/static`` at ``/static``."""
    config.add_static_view("static", FOLDER, cache_max_age=timedelta(days=365))
    config.add_cache_buster(FOLDER, ContentHash("v"))
