"""``pillarbox preview``: write every sample of an email as a file."""

from pathlib import Path

import click

from app.commands.application import INI, load_application
from app.mail.smtp.mime import message_bytes


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
    """
    try:
        from app.previews.preview import compose_preview, previews_of
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
        for name in names if every else [kind]:
            for sample in previews_of(registry, registry.email_kinds.get(name)):
                email = compose_preview(registry, sample)
                (out / f"{sample.name}.eml").write_bytes(message_bytes(email))
                written += 1
    except OSError as error:
        raise click.ClickException(f"Cannot write to {out}: {error.strerror}") from None
    finally:
        registry.database.dispose()
    click.echo(f"Files written to {out}: {written}.")
