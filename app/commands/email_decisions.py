"""``pillarbox emails INI resend|release|cancel``: decide about emails by their ids, or about all
that a filter finds.
"""

import sys
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, TextIO

import click
from pyramid.registry import Registry
from sqlalchemy.orm import Session

from app.commands.application import ready_application
from app.commands.email_filters import ID, filter_of, filter_options, is_typed
from app.mail import Kind
from app.mail.outbox import decisions
from app.mail.outbox.batches import Act
from app.mail.outbox.copies import ACCEPTED
from app.mail.outbox.decisions import Refused
from app.mail.outbox.many import Found, ManyDecisions, look
from app.mail.outbox.tables import OutboxEmail
from app.staff.actions import write_action
from app.staff.many_actions import KeptAction, target_of

COMMAND = "pillarbox emails"
"""What ``staff_action`` says of who did it."""
_DONE = {Act.RESEND: "queued", Act.RELEASE: "queued", Act.CANCEL: "cancelled"}


def _command(act: Act, about: str) -> Callable[[Callable[..., None]], click.Command]:
    """The arguments and options that the three commands share. ``about`` is the short help."""

    def decorate(command: Callable[..., None]) -> click.Command:
        for option in (
            click.pass_obj,
            click.option("--yes", is_flag=True, help="Do not ask whether to go on."),
            filter_options,
            click.argument("ids", metavar="[ID]...", type=ID, nargs=-1),
        ):
            command = option(command)
        return click.command(act.value, short_help=about)(command)

    return decorate


@_command(Act.RESEND, "Send emails again.")
def resend(ini: Path, ids: Sequence[int], yes: bool, **typed: Any) -> None:
    """Send emails again: those with these IDs, or all that the filters find.

    One that was sent becomes a new email. One whose template was broken is composed again.
    """
    _decide(ini, Act.RESEND, ids, typed, yes=yes)


@_command(Act.RELEASE, "Send emails again that are in doubt.")
def release(ini: Path, ids: Sequence[int], yes: bool, **typed: Any) -> None:
    """Send emails again that are in doubt: the relay may or may not have accepted them."""
    _decide(ini, Act.RELEASE, ids, typed, yes=yes)


@_command(Act.CANCEL, "Stop emails that are queued or held.")
def cancel(ini: Path, ids: Sequence[int], yes: bool, **typed: Any) -> None:
    """Stop emails that are queued or held."""
    _decide(ini, Act.CANCEL, ids, typed, yes=yes)


def _decide(ini: Path, act: Act, ids: Sequence[int], typed: dict[str, Any], *, yes: bool) -> None:
    if bool(ids) == is_typed(typed):
        raise click.UsageError(
            f"Say which emails: by their IDs, such as `{act} 12 13`, or by filters, such as"
            f" `{act} --state failed --since 12:00`."
        )
    with ready_application(ini) as registry:
        if ids:
            _decide_each(registry, act, ids)
        else:
            _decide_all(registry, act, typed, yes=yes)


def _decide_each(registry: Registry, act: Act, ids: Sequence[int]) -> None:
    is_refused = False
    for id in ids:
        try:
            with registry.database.transaction(write=True) as session:
                done = _decide_one(registry, session, act, id)
                write_action(
                    session,
                    act,
                    f"email:{id}",
                    now=registry.clock(),
                    staff_id=None,
                    done=1,
                    detail=COMMAND,
                    request_id=COMMAND,
                )
        except (Refused, click.ClickException) as problem:
            is_refused = True
            click.echo(f"Error: {problem}", err=True)
        else:
            click.echo(done)
    if is_refused:
        sys.exit(1)


def _decide_one(registry: Registry, session: Session, act: Act, id: int) -> str:
    """Decide about one email. Returns what to tell."""
    email = session.get(OutboxEmail, id)
    if email is None:
        raise click.ClickException(f"There is no email {id}.")
    kind: Kind | None = registry.email_kinds.get(email.kind)
    if act is Act.CANCEL:
        decisions.cancel(session, email, kind, by=f"by {COMMAND}")
        return f"Email {id} ({email.kind}) is cancelled."
    now = registry.clock()
    if act is Act.RELEASE:
        queued = decisions.release(session, email, kind, now)
    else:
        queued = decisions.resend(session, email, kind, now, registry.email_composer)
    registry.email_wakeup.after_commit(session)
    return f"Email {id} ({email.kind}) is queued{'' if queued is email else f' as {queued.id}'}."


def _decide_all(registry: Registry, act: Act, typed: dict[str, Any], *, yes: bool) -> None:
    with registry.database.transaction(write=False) as session:
        filter = filter_of(registry, session, typed)
        found = look(session, filter)
    if not found.count and not found.is_more:
        click.echo("No emails found.")
        return
    _confirm(act, found, registry.pillarbox.site.time_zone, yes=yes)
    kept = KeptAction(
        act, target_of(filter), registry.clock, staff_id=None, by=COMMAND, request_id=COMMAND
    )
    many = ManyDecisions.of(registry)
    run = many.run(act, filter, newest=found.newest_id, by=f"by {COMMAND}", note=kept.note)
    shows = is_terminal(sys.stderr)
    try:
        for _ in run:
            if shows:
                click.echo(f"\r{_progress(act, kept)}", nl=False, err=True)
    finally:
        if shows:
            click.echo(err=True)
        _report(act, kept)


def _confirm(act: Act, found: Found, zone: tzinfo, *, yes: bool) -> None:
    """Show what was found, and ask whether to go on, unless ``--yes`` says so."""
    click.echo(_describe(act, found, zone))
    if yes:
        return
    if not is_terminal(sys.stdin):
        raise click.UsageError(
            f"This is not a terminal, so the command cannot ask. Add --yes to {act} them."
        )
    click.confirm(f"{act.capitalize()} them?", abort=True)


def _describe(act: Act, found: Found, zone: tzinfo) -> str:
    """What was found, for the person who confirms."""
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(found.states.items()))
    oldest = f"{found.oldest.astimezone(zone):%Y-%m-%d %H:%M} ({zone})" if found.oldest else ""
    if not found.count:
        lines = ["None of the newest emails fits. Older ones may; they were not counted."]
    elif found.is_more:
        lines = [
            f"More than {_emails(found.count)}. Those that were counted ({states}) go back to"
            f" {oldest}."
        ]
    else:
        lines = [f"{_emails(found.count)} ({states}). The oldest was written {oldest}."]
    again = sum(found.states[state] for state in ACCEPTED)
    if act is Act.RESEND and again:
        lines.append(f"{again:,} of them were sent before. They go out once more, as new emails.")
    return "\n".join(lines)


def _emails(count: int) -> str:
    return "1 email" if count == 1 else f"{count:,} emails"


def _progress(act: Act, kept: KeptAction) -> str:
    refused = f", {kept.refused:,} refused" if kept.refused else ""
    return f"{_emails(kept.done)} {_DONE[act]}{refused}"


def _report(act: Act, kept: KeptAction) -> None:
    """Tell what was done, and what was not, by reason."""
    verb = "is" if kept.done == 1 else "are"
    click.echo(f"{_emails(kept.done)} {verb} {_DONE[act]}.")
    for why, count, ids in kept.refusals.values():
        some = ", ".join(map(str, ids)) + (", ..." if count > len(ids) else "")
        click.echo(f"Refused: {_emails(count)}, because {why.words} (ID {some}).")


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads or writes the stream."""
    return stream.isatty()
