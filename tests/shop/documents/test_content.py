"""What a document says is kept as JSON, and read again as it was."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.shop.documents.content import Correction, DocumentContent, Line
from app.shop.money import Tax
from app.shop.parties import Buyer, Seller
from tests.support.documents import receipt, refund

TEXT = st.text()
TIMES = st.datetimes(timezones=st.just(UTC))
AMOUNTS = st.integers(0, 10**12)
CONTENTS = st.builds(
    DocumentContent,
    issued_at=TIMES,
    ordered_at=TIMES,
    withdraw_until=st.none() | TIMES,
    seller=st.builds(Seller, address=st.lists(TEXT).map(tuple)),
    buyer=st.builds(Buyer, address=st.lists(TEXT).map(tuple)),
    lines=st.lists(st.builds(Line)).map(tuple),
    taxes=st.lists(st.builds(Tax, rate=AMOUNTS, gross=AMOUNTS, vat=AMOUNTS)).map(tuple),
    correction=st.none() | st.builds(Correction, receipt_issued_at=st.none() | TIMES),
)


@given(CONTENTS)
def test_what_was_written_is_read_again(content: DocumentContent) -> None:
    stored = json.loads(json.dumps(content.to_json()))

    assert DocumentContent.from_json(stored) == content


def test_the_json_can_be_read_without_this_program() -> None:
    stored = refund().to_json()

    assert stored["kind"] == "refund"
    assert stored["issued_at"] == "2026-11-22T17:50:00+00:00"
    assert stored["taxes"] == [
        {"rate": 700, "gross": 400, "vat": 26},
        {"rate": 1900, "gross": 600, "vat": 96},
    ]
    assert stored["correction"]["receipt_number"] == "2026-000042"
    assert stored["buyer"]["address"] == ["12 St James's Square", "London SW1Y 4JH"]


def test_the_net_amount_is_the_total_without_vat() -> None:
    assert receipt().net == 2400 - 383
    assert refund().net == 1000 - 26 - 96


@pytest.mark.parametrize("missing", ["number", "correction", "seller"])
def test_something_else_is_not_read(missing: str) -> None:
    stored = receipt(issued_at=datetime(2026, 1, 1, tzinfo=UTC)).to_json()
    del stored[missing]

    with pytest.raises(KeyError):
        DocumentContent.from_json(stored)
