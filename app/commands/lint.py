"""``pillarbox lint``: check every sample of every email."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.application import INI, load_application
from app.mail.message import BodyFormat

if TYPE_CHECKING:
    from app.previews.lint import Finding


@click.command(short_help="Check every sample of every email.")
@click.argument("ini", type=INI)
def lint(ini: Path) -> None:
    """Check every sample of every email, in every language and format, against the standards.

    A finding names the rule, the place, the problem and the cure. The exit code is 1 when there is
    any finding.
    """
    try:
        from app.previews.preview import compose_preview, findings_of, previews_of
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from None
    registry = load_application(ini)[0].registry
    # A problem of the layout is in every email, and is printed once.
    found: dict[tuple[str, str, str], list[tuple[str, Finding]]] = defaultdict(list)
    checked = 0
    for kind in registry.email_kinds:
        for preview in previews_of(registry, kind):
            for body_format in BodyFormat:
                sample = replace(preview, body_format=body_format)
                email = compose_preview(registry, sample)
                checked += 1
                for finding in findings_of(registry, sample, email):
                    same = (finding.rule, finding.problem, finding.cure)
                    found[same].append((f"{sample.name} ({body_format})", finding))
    registry.database.dispose()
    for findings in found.values():
        name, first = findings[0]
        others = f" and {len(findings) - 1} others" if len(findings) > 1 else ""
        click.echo(f"{first}\n    in {name}{others}")
    if found:
        raise click.ClickException(f"Findings: {len(found)}, in {checked} emails.")
    click.echo(f"Emails checked: {checked}. No findings.")
