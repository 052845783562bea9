"""Reads values out of a table of the shop's file, and notes what is wrong with them.

A value that is wrong reads as an empty one, so that all problems are found in one go.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unicodedata import category

from babel import Locale, UnknownLocaleError

from app.shop.shop_file.content import NO_LANGUAGE, Texts
from app.shop.shop_file.problems import Problems, Where, quoted, shown_key, suggestion

MOST_LOCALE = 16
BIGGEST_FILE = 2_000_000_000
"""Octets. A size fits into 32 bits."""
MOST_FILE_NAME = 200


class Table:
    """A table of the file. ``where`` says which, and ``label`` says it to people."""

    def __init__(self, problems: Problems, values: Any, where: Where, label: str) -> None:
        self.problems, self.where, self.label = problems, where, label
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            self.problem((), "is no table. Compare it with the example in docs/shop.md.")

    def problem(self, inside: Where | str, text: str) -> None:
        """Note a problem of the value at ``inside``."""
        keys = (inside,) if isinstance(inside, str) else inside
        names = ".".join(shown_key(key) for key in keys)
        label = f"{self.label}: " if self.label and keys else self.label
        self.problems.add((*self.where, *keys), f"{label}{names} {text}")

    def allow(self, known: Iterable[str]) -> None:
        """Note every key that is not one of ``known``."""
        known = list(known)
        for key in sorted(self.values.keys() - set(known)):
            meant = suggestion(key, known) or f" Known are {', '.join(known)}."
            where = (*self.where, key)
            label = f"{self.label}: " if self.label else ""
            self.problems.add(where, f"{label}{quoted(key)} is unknown. Delete it.{meant}")

    def text(
        self, key: str, most: int, *, is_optional: bool = False, has_lines: bool = False
    ) -> str:
        """A text of at most ``most`` characters; without ``has_lines`` in one line."""
        if key not in self.values:
            if not is_optional:
                self.problem(key, f'is missing. Add {key} = "...".')
            return ""
        return self._checked((key,), self.values[key], most, has_lines)

    def texts(
        self, key: str, most: int, *, is_optional: bool = False, has_lines: bool = False
    ) -> Texts:
        """A text in each language. One that is written once has ``NO_LANGUAGE``."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            text = self.text(key, most, is_optional=is_optional, has_lines=has_lines)
            return ((NO_LANGUAGE, text),) if text else ()
        if not value:
            self.problem(key, 'has no language. Write { en = "..." }.')
        texts = []
        for locale, text in value.items():
            if not _is_locale(locale):
                self.problem(
                    (key, locale),
                    f"is no language. Write {_locale_cure(locale)}.",
                )
            elif checked := self._checked((key, locale), text, most, has_lines):
                texts.append((locale, checked))
        return tuple(texts)

    def file(self, key: str, folder: Path, *, is_optional: bool = False) -> Path | None:
        """A file that can be read and is not empty, beside the shop's file."""
        name = self.text(key, 1000, is_optional=is_optional)
        return self.readable((key,), folder, name, BIGGEST_FILE) if name else None

    def readable(self, where: Where, folder: Path, name: str, most: int) -> Path | None:
        """The file ``name`` when it can be read and has 1 to ``most`` octets."""
        path = folder / name
        cure = "Correct the path, which begins at the folder of the shop's file."
        try:
            if not path.exists():
                self.problem(where, f"names {quoted(name)}, which does not exist. {cure}")
                return None
            if not path.is_file():
                self.problem(where, f"names {quoted(name)}, which is no file. {cure}")
                return None
            with path.open("rb"):
                size = path.stat().st_size
        except OSError as error:
            reason = error.strerror
            self.problem(where, f"names {quoted(name)}, which cannot be read ({reason}). {cure}")
            return None
        if not size:
            self.problem(where, f"names {quoted(name)}, which is empty. Write it anew.")
        elif size > most:
            self.problem(
                where, f"names {quoted(name)}, which has {size:,} octets. At most {most:,} go."
            )
        elif len(path.name) > MOST_FILE_NAME or _bad_character(path.name, has_lines=False):
            self.problem(
                where,
                f"names {quoted(name)}, which browsers cannot save under its name. Give it a name"
                f" of at most {MOST_FILE_NAME} characters, without control characters.",
            )
        else:
            return path
        return None

    def _checked(self, where: Where, value: object, most: int, has_lines: bool) -> str:
        if not isinstance(value, str):
            self.problem(where, f"is {quoted(value)}, which is no text. Put it into quotes.")
            return ""
        text = value.replace("\r\n", "\n").strip()
        if not text:
            self.problem(where, "is empty. Write something, or delete it if it is optional.")
        elif len(text) > most:
            self.problem(where, f"has {len(text):,} characters. Shorten it to {most:,}.")
        elif bad := _bad_character(text, has_lines):
            what = "a line break" if bad == "\n" else f"the control character U+{ord(bad):04X}"
            self.problem(where, f"contains {what}. Delete it.")
        else:
            return text
        return ""


def _bad_character(text: str, has_lines: bool) -> str:
    """The first character that no text may have, or nothing."""
    allowed = "\n\t" if has_lines else ""
    bad = (c for c in text if category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in allowed)
    return next(bad, "")


def _is_locale(name: str) -> bool:
    try:
        return len(name) <= MOST_LOCALE and str(Locale.parse(name)) == name
    except (UnknownLocaleError, ValueError, TypeError):
        return False


def _locale_cure(name: str) -> str:
    better = name.replace("-", "_")
    parts = better.split("_")
    better = "_".join([parts[0].lower(), *(part.upper() for part in parts[1:])])
    return better if _is_locale(better) else "a code such as en, de or pt_BR"
