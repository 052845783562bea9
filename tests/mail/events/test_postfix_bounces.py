"""A real Postfix bounces an email, and the report finds its way back: through a pipe, and through a
maildir.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyramid.router import Router

from app.mail.outbox.tables import OutboxEmail, SuppressedAddress
from tests.support.accounts import add_account, sign_in
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.certificates import Certificate
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.pillarbox_command import run_command
from tests.support.postfix import CAN_RUN, GONE, Postfix
from tests.support.relay import through
from tests.support.shop_settings import write_ini
from tests.support.waiting import eventually
from tests.support.workers import Hire

AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")

pytestmark = [
    on_sqlite,
    pytest.mark.skipif(
        not CAN_RUN and "CI" not in os.environ, reason="needs Postfix, which only root can start"
    ),
]


@pytest.fixture(scope="module")
def postfix(certificate: Certificate) -> Iterator[Postfix]:
    with Postfix(certificate) as postfix:
        yield postfix


@pytest.fixture
def shared_folder(migrated_sqlite: Path, certificate: Certificate) -> Iterator[Path]:
    """A folder of the user nobody with a database, because only their owner has access to pytest's
    folders.
    """
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    shutil.copy(migrated_sqlite, folder / "shop.sqlite")
    shutil.copy(certificate.ca, folder / "ca.pem")
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "nobody")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def values(
    settings_values: dict[str, str], postfix: Postfix, shared_folder: Path
) -> dict[str, str]:
    """Settings with which emails go out through ``postfix``."""
    values = settings_values | through(postfix)
    del values["email.smtp_username"], values["email.smtp_password"]
    values["database.url"] = f"sqlite:///{shared_folder / 'shop.sqlite'}"
    values["email.smtp_ca_file"] = str(shared_folder / "ca.pem")
    return values


def pillarbox_for_nobody() -> tuple[str, ...]:
    """The ``pillarbox`` command as the user nobody can run it. Postfix runs no program as root."""
    folders = f"{Path(__file__).parents[3]}:{sysconfig.get_path('purelib')}"
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, system):
        code = "from app.commands import main; main()"
        command = ("env", f"PYTHONPATH={folders}", python, "-c", code)
        tried = subprocess.run(
            [*AS_NOBODY, *command, "--version"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return command
    problem = "the user nobody can run neither this Python nor the system's of this version"
    if "CI" in os.environ:
        pytest.fail(problem)
    pytest.skip(problem)


def send(app: Router, hire: Hire) -> tuple[Outbox, OutboxEmail]:
    """Send an email that Postfix accepts, and then bounces."""
    outbox = Outbox(app.registry)
    email = outbox.write(address=GONE)
    hire(app).run_once()
    assert outbox.row(email).state in ("sent", "bounced")
    return outbox, email


def has_bounced(outbox: Outbox, email: OutboxEmail) -> bool:
    return outbox.row(email).state == "bounced"


def check(app: Router, outbox: Outbox, email: OutboxEmail) -> None:
    """The email's row, the suppression and the customer's page say why it bounced."""
    assert outbox.row(email).reason == f'5.1.1 unknown user: "{GONE}"'
    with outbox.registry.database.transaction(write=False) as session:
        address = session.get_one(SuppressedAddress, GONE)
        assert (address.email_id, address.bounces) == (email.id, 1)
    assert outbox.write(2, address=GONE).state == "suppressed"
    add_account(app.registry.database, GONE)
    browser = another_browser(app)
    sign_in(browser, GONE)
    notice = f"We could not reach you at {GONE}, because this mailbox does not exist."
    assert notice in browser.get("/").text


def test_a_bounce_comes_back_through_a_pipe_and_waits_while_the_database_is_away(
    make_app: MakeApp,
    values: dict[str, str],
    hire: Hire,
    postfix: Postfix,
    shared_folder: Path,
) -> None:
    values["email.return_path"] = "bounces+{tag}@pipe.example"
    away = values | {"database.url": "postgresql://nobody@127.0.0.1:1/nowhere"}
    write_ini(shared_folder / "shop.ini", away)
    postfix.run_program(*pillarbox_for_nobody(), "bounce", shared_folder / "shop.ini")
    app = make_app(values)
    outbox, email = send(app, hire)

    eventually(lambda: "relay=program, " in postfix.log, seconds=60)
    assert "status=deferred (temporary failure. Command output: " in postfix.log
    assert outbox.row(email).state == "sent"

    write_ini(shared_folder / "shop.ini", values)
    postfix.flush()
    eventually(lambda: has_bounced(outbox, email), seconds=60)
    check(app, outbox, email)


def test_a_bounce_waits_while_its_command_cannot_start(
    make_app: MakeApp,
    values: dict[str, str],
    hire: Hire,
    postfix: Postfix,
    shared_folder: Path,
) -> None:
    values["email.return_path"] = "bounces+{tag}@pipe.example"
    write_ini(shared_folder / "shop.ini", values)
    postfix.program.unlink(missing_ok=True)
    outbox, email = send(make_app(values), hire)
    eventually(lambda: "program: not found" in postfix.log, seconds=60)

    postfix.run_program(*pillarbox_for_nobody(), "bounce", shared_folder / "shop.ini")
    postfix.flush()
    eventually(lambda: has_bounced(outbox, email), seconds=60)


def test_a_bounce_comes_back_through_a_maildir(
    make_app: MakeApp,
    values: dict[str, str],
    hire: Hire,
    postfix: Postfix,
    shared_folder: Path,
) -> None:
    values["email.return_path"] = "bounces+{tag}@example.org"
    ini = write_ini(shared_folder / "shop.ini", values)
    app = make_app(values)
    outbox, email = send(app, hire)
    new = postfix.bounces / "new"
    eventually(lambda: new.is_dir() and any(new.iterdir()))
    output = run_command("bounces", ini, "--maildir", postfix.bounces).stdout
    assert output == "Read 1 of 1 messages; 1 are about emails of this shop.\n"
    check(app, outbox, email)
    assert not any(new.iterdir())
