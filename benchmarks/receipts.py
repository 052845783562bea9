"""The email that most benchmarks send: a receipt of 20 lines."""

from dataclasses import replace
from random import Random

from app.mail import Recipient
from app.shop import money
from app.shop.emails import PURCHASE_RECEIPT, PurchaseReceipt, ReceiptLine

BUYER = Recipient("buyer@example.org", "Ada Lovelace")


def receipt(number: int = 1) -> PurchaseReceipt:
    """The context of the receipt of order ``number``, with products from a catalogue of 100."""
    random = Random(number)
    lines = tuple(_line(random) for _ in range(20))
    sums = money.totals(lines)
    sample: PurchaseReceipt = PURCHASE_RECEIPT.samples["short"]
    return replace(
        sample,
        order_number=f"7K3M-9QXW-{number:04}",
        lines=lines,
        taxes=sums.taxes,
        net=sums.net,
        total=sums.total,
        is_test=False,
    )


def _line(random: Random) -> ReceiptLine:
    product, quantity = random.randrange(100), random.randint(1, 3)
    name = f"Postcards of doors, set {product}"
    return ReceiptLine(name, quantity, 195 + 37 * product, (700, 1900)[product % 2])
