"""SpamAssassin, as Debian packages it, gives none of our emails points."""

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.mail.smtp.mime import message_bytes
from app.previews.preview import compose_preview, previews_of
from tests.previews.lint.broken import REGISTRY

PREVIEWS = {
    preview.name: preview
    for kind in REGISTRY.email_kinds
    for preview in previews_of(REGISTRY, kind)
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """SpamAssassin's report on every preview, from one start, because starting it takes longest."""
    if shutil.which("spamassassin") is None and "CI" not in os.environ:
        pytest.skip("spamassassin is not installed; on Debian: apt install spamassassin")
    folder = tmp_path_factory.mktemp("spamassassin")
    files: list[Path] = []
    for name, preview in PREVIEWS.items():
        email = compose_preview(REGISTRY, preview)
        # SpamAssassin gives points for a Date far from today, which a sent email does not have.
        email.created_at = datetime.now(UTC)
        files.append(folder / f"{name}.eml")
        files[-1].write_bytes(message_bytes(email))
    # -L: no network. -t: name the tests that hit. -x: no file of preferences in the home folder.
    done = subprocess.run(
        ["spamassassin", "-L", "-t", "-x", *files],
        env=os.environ | {"HOME": str(folder)},
        capture_output=True,
        timeout=300,
        check=True,
    )
    messages = re.split(r"(?m)^(?=X-Spam-Checker-Version:)", done.stdout.decode())[1:]
    return dict(zip(PREVIEWS, messages, strict=True))


@pytest.mark.parametrize("name", PREVIEWS)
def test_spamassassin_has_nothing_against(name: str, verdicts: dict[str, str]) -> None:
    subject = compose_preview(REGISTRY, PREVIEWS[name]).subject
    if subject.isascii():
        assert f"Subject: {subject}" in verdicts[name]
    score = re.search(r"(?m)^X-Spam-Status: \w+, score=(-?[\d.]+)", verdicts[name])
    assert score
    assert float(score[1]) <= 0.0, verdicts[name].rpartition("Content analysis details:")[2]
