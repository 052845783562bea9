"""The database's history, by Alembic, and the two things that are done with it: migrate, and ask
whether that is needed.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database to ``revision``, upwards or (with ``base`` or an older one) downwards."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    config = _config(engine)
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def is_current(engine: Engine) -> bool:
    """Whether the database is at this code's newest revision."""
    newest = ScriptDirectory.from_config(_config(engine)).get_current_head()
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    # The engine and not its URL: a URL would pass through a file format that trips over "%".
    config.attributes["engine"] = engine
    return config
