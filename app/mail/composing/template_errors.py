"""Where an error of a template comes from: its message, and every place in a template that led to
it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from jinja2 import TemplateError, TemplateSyntaxError

from app.mail.kinds import Kind


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a template, from 1. ``path`` is the template's file."""

    path: str
    line: int

    @property
    def template(self) -> str:
        """The template's name: ``email/welcome.jinja2``."""
        return "/".join(Path(self.path).parts[-2:])

    def __str__(self) -> str:
        return f"{self.template}, line {self.line}"


LONGEST_MESSAGE = 1000
"""Characters. An error may quote a whole template."""


def message_of(error: Exception) -> str:
    """The error's type and text: ``UndefinedError: 'lnik' is undefined``."""
    return f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]


def public_message_of(error: Exception) -> str:
    """``message_of`` for an error of Jinja2, which speaks about the template. Of any other error
    the type alone, because its text may quote a value of the context.
    """
    return message_of(error) if isinstance(error, TemplateError) else type(error).__name__


def places_of(error: Exception, kind: Kind) -> list[Place]:
    """The places in templates behind an error that composing an email of ``kind`` has raised, the
    likeliest first.

    The kind's own template comes first, because a wrong value that it hands to a macro raises the
    error inside the macro. A syntax error comes first where it stands. A template that only extends
    the next one comes last, because its line says nothing.
    """
    frames = [*_frames(error.__traceback__)]
    own = f"email/{kind.name}.jinja2"
    if isinstance(error, TemplateSyntaxError):
        own = Place(error.filename or "", error.lineno).template
    ranked: list[tuple[int, Place]] = []
    for number, (place, is_whole_template) in enumerate(frames):
        extends = is_whole_template and number + 1 < len(frames) and frames[number + 1][1]
        ranked.insert(0, (2 if extends else int(place.template != own), place))
    ranked.sort(key=lambda each: each[0])
    return list(dict.fromkeys(place for _, place in ranked))


def _frames(trace: TracebackType | None) -> Iterator[tuple[Place, bool]]:
    """The frames of templates, outermost first, and whether each runs its template from the top
    instead of one of its blocks or macros.
    """
    # Jinja2 rewrites the traceback: the frames of templates have the templates' lines and names.
    while trace is not None:
        code = trace.tb_frame.f_code
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            is_whole_template = code.co_name == "top-level template code"
            yield Place(code.co_filename, trace.tb_lineno), is_whole_template
        trace = trace.tb_next


def lines_of(place: Place) -> list[str]:
    """The lines of the place's template; none when it is no file."""
    try:
        return Path(place.path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
