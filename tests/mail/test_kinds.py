"""A kind needs samples; its template is compiled once, and in development anew after a change."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from jinja2 import DictLoader, FileSystemLoader

from app.mail import Kind, Priority, RateLimit, Recipient
from app.mail.composing.composer import Composer
from app.mail.kinds import REQUIRED_SAMPLES, Kinds
from app.settings.declarations import Brand, Site

SITE = Site("Pillarbox", "http://localhost", "help@example.org", UTC, None, ())
BRAND = Brand("Pillarbox", "#b3261e", "#f4f1ec", "sans-serif")


@dataclass(frozen=True)
class Nothing:
    """A context without a field."""


def kind(**samples: Nothing) -> Kind:
    hour = timedelta(hours=1)
    return Kind("note", Nothing, samples, hour, Priority.ACCOUNT, RateLimit(1, hour))


@pytest.mark.parametrize("lacking", REQUIRED_SAMPLES)
def test_a_kind_without_its_samples_cannot_be_registered(lacking: str) -> None:
    samples = {name: Nothing() for name in REQUIRED_SAMPLES if name != lacking}
    with pytest.raises(ValueError, match=f"'note' needs a sample named {lacking}"):
        Kinds().add(kind(**samples))


def test_development_sees_a_template_that_changes(tmp_path: Path) -> None:
    email = tmp_path / "email"
    email.mkdir()
    composer = Composer(SITE, BRAND, FileSystemLoader(tmp_path), reload=True)
    subjects = []
    for subject in ("Before the change", "After the change"):
        # The file is written again at once: a change within the same tick of its clock counts too.
        path = email / "note.jinja2"
        path.unlink(missing_ok=True)
        path.write_text(template(subject), encoding="utf-8")
        subjects.append(compose(composer))
    assert subjects == ["Before the change", "After the change"]


def test_production_compiles_each_template_once_and_never_looks_again() -> None:
    asked: list[str] = []

    class Counting(DictLoader):
        def get_source(
            self, environment: object, template: str
        ) -> tuple[str, str | None, Callable[[], bool]]:
            asked.append(template)
            source, filename, _ = super().get_source(environment, template)  # type: ignore[arg-type]

            def is_up_to_date() -> bool:
                asked.append(f"{template} again")
                return True

            return source, filename, is_up_to_date

    composer = Composer(SITE, BRAND, Counting({"email/note.jinja2": template("The only subject")}))
    for _ in range(3):
        compose(composer)
    assert asked == ["email/note.jinja2"]


def template(subject: str) -> str:
    return f"<title>{subject}</title><!-- content --><p>Words</p><!-- /content -->"


def compose(composer: Composer) -> str:
    note = kind(short=Nothing(), long=Nothing())
    return composer.compose(
        note, Nothing(), to=Recipient("ada@example.org"), about="note:1", strictly=True
    ).subject
