"""What the fixtures ``make_app`` and ``app`` need: their type, and the caches with which each
template and each catalogue of translations is compiled once for all tests.
"""

from collections.abc import Callable
from pathlib import Path

from babel.messages.catalog import Catalog
from jinja2.bccache import Bucket, BytecodeCache
from pyramid.router import Router

MakeApp = Callable[[dict[str, str]], Router]
"""Makes an application from its settings."""


class CompiledTemplates(BytecodeCache):
    """Compiles every template once for all tests, and not once more for each application."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        compiled = self._compiled.get((bucket.key, bucket.checksum))
        if compiled is not None:
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


PAGES, EMAILS = CompiledTemplates(), CompiledTemplates()
"""Two caches, since pages and emails are compiled under different rules."""


class CompiledCatalogues:
    """Reads and compiles each catalogue of translations once for all tests, in place of
    ``read``. A file that was changed is read again.
    """

    def __init__(self, read: Callable[[Path], tuple[Catalog, bytes]]) -> None:
        self._read = read
        self._compiled: dict[tuple[Path, int, int], tuple[Catalog, bytes]] = {}

    def __call__(self, path: Path) -> tuple[Catalog, bytes]:
        status = path.stat()
        key = path, status.st_mtime_ns, status.st_size
        if key not in self._compiled:
            self._compiled[key] = self._read(path)
        return self._compiled[key]
