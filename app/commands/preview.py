"""``pillarbox preview``: write every sample of an email as a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.application import INI, load_application
from app.commands.progress import progress
from app.mail.smtp.mime import message_bytes

if TYPE_CHECKING:
    from app.previews.lint import Finding


@click.command(short_help="Write samples of emails as files.")
@click.argument("ini", type=INI)
@click.argument("kind", required=False)
@click.option("--all", "every", is_flag=True, help="Write every kind.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder to write to.",
)
def preview(ini: Path, kind: str | None, every: bool, out: Path) -> None:
    """Write every sample of KIND in every language as DIR/KIND.SAMPLE.LANGUAGE.eml.

    The same templates give the same files, so a comparison of two folders shows what a change did.
    Texts without a translation are named. The exit code is 1 when a template cannot be rendered.
    """
    try:
        from app.previews.preview import (
            broken_template,
            compose_preview,
            previews_of,
            untranslated_texts,
        )
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from None
    registry = load_application(ini)[0].registry
    names = [known.name for known in registry.email_kinds]
    if every == (kind is not None):
        raise click.UsageError("Name one kind, or say --all.")
    if kind is not None and kind not in names:
        raise click.ClickException(
            f"There is no kind of email named {kind}. There are: {', '.join(names)}."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = 0
        broken: dict[str, Finding] = {}
        english: dict[tuple[str, str], str] = {}
        samples = [
            sample
            for name in (names if every else [kind])
            for sample in previews_of(registry, registry.email_kinds.get(name))
        ]
        with progress() as show:
            for number, sample in enumerate(samples, 1):
                show(f"email {number} of {len(samples)}: {sample.name}")
                try:
                    source = message_bytes(compose_preview(registry, sample))
                    untranslated = untranslated_texts(registry, sample)
                except Exception as error:
                    broken.setdefault(sample.kind.name, broken_template(sample, error))
                    continue
                (out / f"{sample.name}.eml").write_bytes(source)
                written += 1
                for text in untranslated:
                    english.setdefault((sample.language, text), sample.name)
    except OSError as error:
        raise click.ClickException(f"Cannot write to {out}: {error.strerror}") from None
    finally:
        registry.database.dispose()
    click.echo(f"Files written to {out}: {written}.")
    for (language, text), first in english.items():
        click.echo(f"Not translated into {language}: {text!r}, in {first}", err=True)
    if broken:
        lines = "\n".join(f"{name}: {finding}" for name, finding in broken.items())
        raise click.ClickException(f"Kinds that cannot be rendered: {len(broken)}.\n{lines}")
