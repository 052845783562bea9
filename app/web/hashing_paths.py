"""Where a POST hashes a password. The server answers those requests in threads of their own, so
that pages do not wait for them.
"""

from pyramid.config import Configurator
from pyramid.registry import Registry


def hashes_password(registry: Registry, method: str, path: str) -> bool:
    """Whether a request with this method and path hashes a password."""
    paths: set[str] = registry.hashing_paths
    return method == "POST" and (
        path in paths or any(path.startswith(each) for each in paths if each.endswith("/"))
    )


def _add_hashing_paths(config: Configurator, *paths: str) -> None:
    """A path that ends with a slash stands for all paths that begin with it."""
    config.registry.hashing_paths.update(paths)


def includeme(config: Configurator) -> None:
    """Rooms add to the paths with ``config.add_hashing_paths("/sign-in")``."""
    config.registry.hashing_paths = set()
    config.add_directive("add_hashing_paths", _add_hashing_paths)
