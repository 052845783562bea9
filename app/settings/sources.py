"""Where the text of a setting comes from: the environment, a file that it names, or the .ini file.

The environment wins: `PILLARBOX_EMAIL_SMTP_PASSWORD` over `email.smtp_password`, and
`PILLARBOX_EMAIL_SMTP_PASSWORD_FILE` names a file that holds the value.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sources:
    """The .ini `file` with its `values`, its folder `here`, and the environment variables."""

    values: Mapping[str, Any]
    file: str
    here: Path
    environ: Mapping[str, str]

    def find(self, name: str) -> tuple[str, str]:
        """A setting's text, or `""` where it is not set, and its place as the end of a message.

        White space around the text is dropped. Raises `ValueError` for a bad `_FILE` variable.
        """
        variable = variable_of(name)
        file_variable = f"{variable}_FILE"
        if file_variable in self.environ:
            if variable in self.environ:
                raise ValueError(f"both {variable} and {file_variable} are set; unset one of them")
            path = self.here / self.environ[file_variable]
            found, place = _content(path, file_variable), f"the file of {file_variable}"
        elif variable in self.environ:
            found, place = self.environ[variable], f"the environment variable {variable}"
        else:
            found, place = str(self.values.get(name, "")), self.file
        if found := found.strip(" \t\r\n"):
            return found, f", in {place}"
        return "", f"; set it in {self.file} or as {variable}"

    def unknown_names(self, names: list[str]) -> Iterator[tuple[str, str]]:
        """Names that no setting has, in our sections and among the `PILLARBOX_*` variables, each
        with a message that suggests the closest name of a setting.
        """
        sections = tuple({f"{name.partition('.')[0]}." for name in names if "." in name})
        variables = [variable_of(name) + end for name in names for end in ("", "_FILE")]
        in_file = (name for name in self.values if name.startswith(sections))
        in_environ = (name for name in self.environ if name.startswith("PILLARBOX_"))
        for given, known, place in (
            (in_file, names, self.file),
            (in_environ, variables, "the environment"),
        ):
            for name in sorted(set(given) - set(known)):
                [closest] = get_close_matches(name, known, n=1, cutoff=0)
                yield name, f"{name}: is not a setting (did you mean {closest}?), in {place}"


def environment() -> dict[str, str]:
    """The process's environment variables, read as UTF-8 like the .ini file, whatever the locale. A
    value in another encoding is read as the locale says.
    """
    return {name: _utf8(value) for name, value in os.environ.items()}


def _utf8(value: str) -> str:
    try:
        return os.fsencode(value).decode("utf-8")
    except UnicodeDecodeError:
        return value


def variable_of(name: str) -> str:
    """The environment variable of a setting: `PILLARBOX_EMAIL_SMTP_PORT` for `email.smtp_port`."""
    return "PILLARBOX_" + name.replace(".", "_").upper()


def _content(path: Path, variable: str) -> str:
    """The text of a file. The error does not quote the path, which may be a misplaced secret."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as problem:
        reason = problem.strerror
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    raise ValueError(f"the file that {variable} names cannot be read ({reason})")
