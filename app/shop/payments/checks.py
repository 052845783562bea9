"""Checks before a shop takes money: what an operator has to correct, and how.

What only Stripe can tell is in ``app.shop.payments.stripe_checks``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.models import File, Product, Seller
from app.shop.payments.provider import PaymentProvider
from app.shop.payments.test import TestProvider
from app.shop.tax import rates_of

IMPORT = "Import the shop's file: pillarbox shop INI import FILE"
MOST_NAMED = 5
"""How many files one message names."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was checked, what was found, and the cure. Without a ``cure`` all is well."""

    what: str
    found: str
    cure: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether there is nothing to do."""
        return not self.cure


def checks(request: Request) -> Iterator[Check]:
    """Check the payment provider and what the shop sells. Call it outside of any transaction,
    because it asks the provider over the network.
    """
    provider: PaymentProvider = request.registry.payment_provider
    if provider.name == TestProvider.name:
        yield Check("provider", "test: every payment is a test, and nothing is charged")
    else:
        # The library takes 0.15 seconds to import, which other commands need not wait for.
        from app.shop.payments.stripe_checks import stripe_checks

        yield from stripe_checks(request)
    with short_transaction(request.registry, write=False) as session:
        found = list(_shop_checks(request, session))
    yield from found


def _shop_checks(request: Request, session: Session) -> Iterator[Check]:
    seller = session.get(Seller, 1)
    if seller is None:
        yield Check("seller", "nobody sells yet, so the checkout is closed", IMPORT)
        return
    yield Check("seller", f"{seller.name} ({seller.country}), prices in {seller.currency}")
    products = session.scalars(
        select(Product).where(Product.is_available).order_by(Product.position)
    ).all()
    if not products:
        yield Check("products", "nothing is sold", IMPORT)
        return
    yield Check("products", f"{len(products)} on sale")
    yield _rates(request, session, seller, products)
    yield _files(request, session)


def _rates(
    request: Request, session: Session, seller: Seller, products: Sequence[Product]
) -> Check:
    zone = request.registry.pillarbox.site.time_zone
    rates = rates_of(session, seller, request.now.astimezone(zone).date())
    nowhere = sorted(
        {product.tax_class for product in products if not rates.countries([product.tax_class])}
    )
    if nowhere:
        return Check(
            "tax rates",
            f"no country has a rate today for the class {', '.join(nowhere)}",
            "Give each class its rates in the shop's file, under [tax.CLASS], and import it.",
        )
    countries = rates.countries(product.tax_class for product in products)
    return Check("tax rates", f"everything is sold to {len(countries)} countries")


def _files(request: Request, session: Session) -> Check:
    """Every file that somebody can buy or has bought lies in the folder, in its full size."""
    folder = request.registry.pillarbox.shop.files
    bad = []
    files = session.scalars(select(File).order_by(File.sha256)).all()
    for file in files:
        path = folder / file.sha256
        if not path.is_file() or path.stat().st_size != file.size:
            bad.append(file.sha256)
    if bad:
        named = ", ".join(digest[:12] for digest in bad[:MOST_NAMED])
        more = f" and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        return Check(
            "files",
            f"{len(bad)} of {len(files)} files are missing in {folder}, or have another size:"
            f" {named}{more}",
            "Import the shop's file again, or copy the folder back from the backup.",
        )
    return Check("files", f"all {len(files)} are in {folder}")
