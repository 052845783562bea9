"""The database's history, by Alembic, and the two things that are done with it: migrate, and ask
whether that is needed.

Importing Alembic takes a good part of a start, so only what migrates does it.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, String, column, inspect, select, table

if TYPE_CHECKING:
    from alembic.config import Config

_HERE = Path(__file__).parent


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database up to ``revision``, or with ``base`` down to no tables at all."""
    from alembic import command

    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    config = _config(engine)
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def revision_of(engine: Engine) -> str | None:
    """The database's revision, None when it has no tables yet. Raises SQLAlchemy's errors when it
    cannot be reached.
    """
    version = select(table("alembic_version", column("version_num", String())))
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(version)


@cache
def revisions() -> tuple[str, ...]:
    """This code's revisions, the newest last: the beginnings of the files' names in
    ``versions``.
    """
    files = sorted(file.name for file in (_HERE / "versions").glob("[0-9]*.py"))
    return tuple(name.partition("_")[0] for name in files)


def _config(engine: Engine) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    # The engine and not its URL: a URL would pass through a file format that trips over "%".
    config.attributes["engine"] = engine
    return config
