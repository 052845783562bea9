"""A small invented catalogue, so that a new shop has something to sell."""

from datetime import UTC, date, datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shop.models import File, Product, ProductText, Seller, TaxRate

STANDARD, REDUCED = 1900, 700
"""VAT rates in basis points. Books have the reduced rate."""


class SampleProduct(NamedTuple):
    """A product of the catalogue. ``price`` is in cents and includes VAT."""

    slug: str
    name: str
    price: int
    vat_rate: int
    description: str


CATALOGUE = (
    SampleProduct(
        "letter-paper",
        "Letter paper, 50 sheets",
        1200,
        STANDARD,
        "Cream paper with a soft tooth, heavy enough for both sides. Ink stays where you put it.",
    ),
    SampleProduct(
        "envelopes",
        "Lined envelopes, 25",
        980,
        STANDARD,
        "Each holds one sheet folded twice. The lining shows a map of a town that does not exist.",
    ),
    SampleProduct(
        "postcards",
        "Twelve postcards of doors",
        750,
        STANDARD,
        "A dozen front doors, drawn in one line each. Somebody you know lives behind one of them.",
    ),
    SampleProduct(
        "sealing-wax",
        "Sealing wax and a fox seal",
        1850,
        STANDARD,
        "Three sticks of red wax and a brass seal. The fox looks to the left, as foxes do.",
    ),
    SampleProduct(
        "blue-black-ink",
        "Blue-black ink, 30 ml",
        1425,
        STANDARD,
        "Goes on blue, dries black, and stays for longer than you will need the letter.",
    ),
    SampleProduct(
        "desk-postbox",
        "A postbox for the desk",
        3900,
        STANDARD,
        "Folded from one sheet of red steel. Keeps a week of letters that wait for an answer.",
    ),
    SampleProduct(
        "letters-to-nobody",
        "Letters to Nobody",
        1600,
        REDUCED,
        "Forty letters that were written, stamped and never sent. A book, 160 pages, sewn.",
    ),
    SampleProduct(
        "slow-post-almanac",
        "The Slow Post Almanac",
        995,
        REDUCED,
        "A year of reasons to write to somebody, one for each week. A booklet with room for notes.",
    ),
)


def add_sample_catalogue(session: Session, now: datetime | None = None) -> int:
    """Add the catalogue and an invented seller if there is no product yet.

    Returns the number of products added.
    """
    now = now or datetime.now(UTC)
    if session.scalar(select(Product.id).limit(1)) is not None:
        return 0
    session.add_all(
        TaxRate(tax_class=name, country="EU", starts_on=date(2020, 1, 1), rate=rate)
        for name, rate in (("standard", STANDARD), ("reduced", REDUCED))
    )
    for position, sample in enumerate(CATALOGUE):
        digest = sha256(sample.slug.encode()).hexdigest()
        session.add(File(sha256=digest, size=len(sample.slug), created_at=now))
        session.flush()
        session.add(
            Product(
                slug=sample.slug,
                price=sample.price,
                tax_class="standard" if sample.vat_rate == STANDARD else "reduced",
                file_sha256=digest,
                file_name=f"{sample.slug}.pdf",
                position=position,
                texts=[
                    ProductText(
                        locale="en",
                        position=0,
                        name=sample.name,
                        description=sample.description,
                        format="PDF",
                    )
                ],
            )
        )
    if session.get(Seller, 1) is None:
        session.add(
            Seller(
                id=1,
                name="Pillarbox",
                address="Sample Street 1\n12345 Sampleton",
                country="DE",
                email="help@example.org",
                phone="",
                vat_id="XX123456789",
                register="",
                statement_name="PILLARBOX SAMPLE",
                currency="EUR",
                is_exempt=False,
                vat_sentence={},
                terms={"en": "These are the terms of an invented shop."},
            )
        )
    session.flush()
    return len(CATALOGUE)
