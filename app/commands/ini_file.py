"""Reads an .ini file as PasteDeploy does, but always in UTF-8, and in any folder.

PasteDeploy reads in the encoding of the locale, takes a byte order mark for a setting, and takes a
percent sign in the folder's name for an interpolation.
"""

import os
from collections.abc import Mapping
from configparser import ConfigParser
from logging.config import fileConfig
from pathlib import Path

from paste.deploy.loadwsgi import ConfigLoader, NicerConfigParser


class IniFile(ConfigLoader):
    """An .ini file: ``get_app("main")`` and ``get_server("main")`` load what its sections name.

    Raises ``OSError``, ``UnicodeDecodeError`` and the errors of ``configparser``.
    """

    def __init__(self, path: Path) -> None:
        # The initialiser of PasteDeploy's class would read the file.
        self.filename = str(path.absolute())
        self.parser = NicerConfigParser(self.filename, defaults=self._places())
        self.parser.optionxform = str
        self._read_into(self.parser)

    def set_up_logging(self) -> None:
        """Set up logging as the sections say. Their values may refer to environment variables."""
        parser = ConfigParser(defaults=_escaped(os.environ) | self._places())
        self._read_into(parser)
        if parser.has_section("loggers"):
            fileConfig(parser, disable_existing_loggers=False)

    def _places(self) -> dict[str, str]:
        return _escaped({"here": os.path.dirname(self.filename), "__file__": self.filename})

    def _read_into(self, parser: ConfigParser) -> None:
        # utf-8-sig: some editors begin a file with a byte order mark.
        parser.read_string(Path(self.filename).read_text("utf-8-sig"), self.filename)


def _escaped(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace("%", "%%") for name, value in values.items()}
