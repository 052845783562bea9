"""Why an email cannot be composed, for the developer who changes its template: the error, and each
line of a template that led to it.
"""

from dataclasses import dataclass

from pyramid.request import Request
from sqlalchemy import select

from app.mail import addresses
from app.mail.composing.contexts import Unkeepable
from app.mail.composing.template_errors import lines_of, message_of, places_of
from app.mail.kinds import Kind
from app.mail.outbox.tables import OutboxEmail
from app.mail.recomposing import compose_again

CONTEXT_LINES = 3
"""The number of lines to show before and after a wrong line of a template."""


@dataclass(frozen=True, slots=True)
class TemplatePlace:
    """A template's path, the line (from 1), and the lines around it with their numbers. There are
    no lines when the template is no file.
    """

    path: str
    line: int
    excerpt: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """An error's message and its places, the likeliest cause first. There are no places when no
    template caused the error.
    """

    kind: str
    message: str
    places: tuple[TemplatePlace, ...] = ()


def template_problem(error: Exception, kind: Kind) -> TemplateProblem:
    """The problem behind an error that composing an email of ``kind`` has raised."""
    places = []
    for place in places_of(error, kind):
        lines = lines_of(place)
        first = max(place.line - CONTEXT_LINES, 1)
        excerpt = tuple(enumerate(lines[first - 1 : place.line + CONTEXT_LINES], first))
        places.append(TemplatePlace(place.path, place.line, excerpt))
    return TemplateProblem(kind.name, message_of(error), tuple(places))


def problem_of_email(request: Request, email: OutboxEmail) -> TemplateProblem | None:
    """What prevents composing an email again, whose template was broken. None when nothing does, or
    when the email was composed.
    """
    kind: Kind | None = request.registry.email_kinds.get(email.kind)
    if email.made_from is None or kind is None:
        return None
    try:
        compose_again(request.registry.email_composer, kind, email)
    except Unkeepable as error:
        return TemplateProblem(kind.name, str(error))
    except Exception as error:
        return template_problem(error, kind)
    return None


def uncomposed_email(request: Request, address: str) -> OutboxEmail | None:
    """The newest email to the address, if it could not be composed."""
    email: OutboxEmail | None = request.dbsession.scalars(
        select(OutboxEmail)
        .where(OutboxEmail.recipient_key == addresses.key_of(address))
        .order_by(OutboxEmail.id.desc())
        .limit(1)
    ).one_or_none()
    return email if email is not None and email.made_from is not None else None
