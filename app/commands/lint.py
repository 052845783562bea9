"""``pillarbox lint``: check every sample of every email."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.application import INI, load_application
from app.commands.progress import progress
from app.mail.message import BodyFormat

if TYPE_CHECKING:
    from app.previews.lint import Finding


@click.command(short_help="Check every sample of every email.")
@click.argument("ini", type=INI)
def lint(ini: Path) -> None:
    """Check every sample of every email, in every language and format, against the standards.

    A finding names the rule, the place, the problem and the cure. A template that cannot be
    rendered is one finding, and so is each text without a translation. The exit code is 1 when
    there is any finding.
    """
    try:
        from app.previews.preview import (
            broken_template,
            compose_preview,
            findings_of,
            previews_of,
        )
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from None
    registry = load_application(ini)[0].registry
    # A problem of the layout is in every email, and is printed once.
    found: dict[tuple[str, str, str], list[tuple[str, Finding]]] = defaultdict(list)
    samples = [
        replace(preview, body_format=body_format)
        for kind in registry.email_kinds
        for preview in previews_of(registry, kind)
        for body_format in BodyFormat
    ]
    with progress() as show:
        for number, sample in enumerate(samples, 1):
            show(f"email {number} of {len(samples)}: {sample.name}")
            try:
                email = compose_preview(registry, sample)
                findings = findings_of(registry, sample, email)
            except Exception as error:
                findings = [broken_template(sample, error)]
            for finding in findings:
                same = (finding.rule, finding.problem, finding.cure)
                if finding.rule == "template":
                    # Whatever its samples make of it, a broken template is one finding.
                    same = (finding.rule, sample.kind.name, "")
                found[same].append((f"{sample.name} ({sample.body_format})", finding))
    registry.database.dispose()
    for places in found.values():
        name, first = places[0]
        others = f" and {len(places) - 1} others" if len(places) > 1 else ""
        click.echo(f"{first}\n    in {name}{others}")
    if found:
        raise click.ClickException(f"Findings: {len(found)}, in {len(samples)} emails.")
    click.echo(f"Emails checked: {len(samples)}. No findings.")
