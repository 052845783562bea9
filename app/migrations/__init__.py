"""The database's schema and its history, by Alembic: migrate, and ask for a database's revision.
What a revision means for a start stands in `app.operations.readiness`.

Alembic takes long to import, so only the function that migrates imports it.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, String, column, inspect, select, table

from app.database.private_files import make_private_folder, path_of

_HERE = Path(__file__).parent


def migrate(
    engine: Engine, revision: str = "head", report: Callable[[str], None] = lambda _: None
) -> None:
    """Upgrade the database to ``revision``, or with ``base`` downgrade it to no tables at all.
    ``report`` is told what happens, step by step.
    """
    from alembic import command
    from alembic.config import Config

    path = path_of(engine.url)
    # The owner of an existing folder decides who may look into it.
    if path is not None and not path.parent.is_dir():
        make_private_folder(path.parent)
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    # The engine instead of its URL, because "%" in a URL would have a meaning in Alembic's
    # configuration.
    config.attributes["engine"] = engine
    words = "migrating the database"
    config.attributes["report"] = lambda step: report(f"{words}: {step} of {revisions()[-1]} done")
    report(words)
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def revision_of(engine: Engine) -> str | None:
    """The database's revision, None when it has no tables yet. Raises SQLAlchemy's errors when the
    database cannot be reached.
    """
    version = select(table("alembic_version", column("version_num", String())))
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(version)


@cache
def revisions() -> tuple[str, ...]:
    """The revisions that this code knows, the newest last: the numbers that begin the names of the
    files in ``versions``.
    """
    files = sorted(file.name for file in (_HERE / "versions").glob("[0-9]*.py"))
    return tuple(name.partition("_")[0] for name in files)
