"""``pillarbox emails erase``: it asks, erases, and says what it could not."""

from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import select

from app.commands import main
from app.mail.outbox.tables import ERASED, State
from app.mail.test_message import TEST_MESSAGE
from app.staff.models import StaffAction
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, put
from tests.support.pillarbox_command import Pillarbox

ADA = "ada@example.org"


def test_it_erases_and_keeps_that_it_did(pillarbox: Pillarbox, ini: Path, outbox: Outbox) -> None:
    email = put(outbox, outbox.write(1, of=TEST_MESSAGE, address=ADA), State.SENT)
    assert pillarbox("emails", ini, "erase", ADA, "--yes").output == "1 email erased.\n"
    assert outbox.row(email).recipient == ERASED
    with outbox.registry.database.transaction(write=False) as session:
        [action] = session.scalars(select(StaffAction))
    assert (action.action, action.done, action.staff_id, action.target) == ("erase", 1, None, "")


@on_sqlite
def test_it_asks_first(ini: Path, outbox: Outbox) -> None:
    email = put(outbox, outbox.write(1, of=TEST_MESSAGE, address=ADA), State.SENT)
    result = CliRunner().invoke(main, ["emails", str(ini), "erase", ADA], input="n\n")
    assert result.exit_code == 1
    assert "Erase 1 email to this address for good?" in result.output
    assert outbox.row(email).recipient == ADA


@on_sqlite
def test_it_says_what_was_being_sent(pillarbox: Pillarbox, ini: Path, outbox: Outbox) -> None:
    put(outbox, outbox.write(1, of=TEST_MESSAGE, address=ADA), State.SENDING, leased_by="worker")
    output = pillarbox("emails", ini, "erase", ADA, "--yes", code=1).output
    assert "Still being sent: 1 email to this address. Run this again in a minute." in output


@on_sqlite
def test_an_unknown_address_has_nothing_to_erase(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox
) -> None:
    said = "No email to this address was found. Nothing was erased.\n"
    assert pillarbox("emails", ini, "erase", ADA).output == said
    outbox.suppress(ADA)
    said = "No email to this address was found. Its suppression was erased.\n"
    assert pillarbox("emails", ini, "erase", ADA).output == said
