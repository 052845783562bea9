"""What SpamAssassin says about an email, where it is installed."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

PROGRAM = "spamassassin"
LONGEST_SECONDS = 60

_STATUS = re.compile(r"^X-Spam-Status: \w+, score=(-?[0-9.]+) required=([0-9.]+)", re.MULTILINE)
_HIT = re.compile(r"^ *(-?[0-9.]+) ([A-Z0-9_]+) +(.*)$", re.MULTILINE)


class SpamAssassinFailed(Exception):
    """SpamAssassin is not installed, took too long or gave no score."""


@dataclass(frozen=True, slots=True)
class SpamHit:
    """A rule that the email meets, with its points."""

    points: str
    rule: str
    description: str


@dataclass(frozen=True, slots=True)
class SpamScore:
    """The points of an email. With ``limit`` points or more it counts as spam."""

    points: float
    limit: float
    hits: tuple[SpamHit, ...]


def is_installed() -> bool:
    """Whether ``spam_score`` can work."""
    return shutil.which(PROGRAM) is not None


def spam_score(source: bytes) -> SpamScore:
    """The score of a whole message. Takes a second or more. Raises ``SpamAssassinFailed``."""
    with tempfile.TemporaryDirectory() as home:
        # -L: no network. -t: name the rules. -x: no file of preferences in the home folder.
        try:
            done = subprocess.run(  # noqa: S603 (the arguments are our own)
                [PROGRAM, "-L", "-t", "-x"],
                input=source,
                env=os.environ | {"HOME": home},
                capture_output=True,
                timeout=LONGEST_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SpamAssassinFailed(type(error).__name__) from error
    report = done.stdout.decode("utf-8", "replace")
    status = _STATUS.search(report)
    if status is None:
        raise SpamAssassinFailed("it gave no score")
    hits = _HIT.findall(report.rpartition("Content analysis details:")[2])
    return SpamScore(float(status[1]), float(status[2]), tuple(SpamHit(*hit) for hit in hits))
