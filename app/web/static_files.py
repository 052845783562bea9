"""The stylesheet and the script: kept by browsers for a year, under an address that changes with their content."""

from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pyramid.config import Configurator
from pyramid.path import AssetResolver
from pyramid.request import Request
from pyramid.static import QueryStringCacheBuster


class ContentHash(QueryStringCacheBuster):  # type: ignore[misc]  # Pyramid has no types
    """Adds a hash of the file to its address."""

    def tokenize(self, request: Request, pathspec: str, parts: dict[str, Any]) -> str:
        """The hash of the file that ``pathspec`` names."""
        path = Path(AssetResolver().resolve(pathspec).abspath())
        return _hash(path, path.stat().st_mtime_ns)


@lru_cache
def _hash(path: Path, modified: int) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]


def includeme(config: Configurator) -> None:
    """Serve ``app/static`` at ``/static``."""
    config.add_static_view("static", "app:static", cache_max_age=timedelta(days=365))
    config.add_cache_buster("app:static", ContentHash("v"))
