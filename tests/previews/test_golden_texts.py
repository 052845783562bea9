"""The plain text of every email equals a stored file, which a person has read.

``./run test --golden`` writes the files anew; look at what git shows then.
"""

from pathlib import Path

import pytest

from app.previews.preview import Preview, compose_preview
from tests.support.sample_kinds import PREVIEWS, REGISTRY

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("preview", PREVIEWS, ids=lambda preview: preview.name)
def test_the_text_is_the_one_that_was_read(preview: Preview, pytestconfig: pytest.Config) -> None:
    email = compose_preview(REGISTRY, preview)
    text = f"Subject: {email.subject}\n\n{email.text_body}".encode()
    path = FOLDER / f"{preview.name}.txt"
    if pytestconfig.getoption("--golden"):
        path.write_bytes(text)
    assert path.read_bytes() == text


def test_no_golden_text_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {preview.name for preview in PREVIEWS}
