"""What the samples of the shop's emails share."""

from datetime import UTC, datetime

from app.shop.parties import Buyer, Seller

ORDER_NUMBER = "7K3M-9QXW-2TBC"
SITE = "https://shop.example"
ORDER_LINK = f"{SITE}/orders/{ORDER_NUMBER}"
WITHDRAW_LINK = f"{SITE}/withdraw"
ORDERED_AT = datetime(2026, 11, 22, 17, 49, tzinfo=UTC)
PAID_AT = datetime(2026, 11, 22, 17, 50, tzinfo=UTC)
WITHDRAW_UNTIL = datetime(2026, 12, 6, 23, 59, 59, tzinfo=UTC)
OPENS_AT = datetime(2026, 12, 7, tzinfo=UTC)

SELLER = Seller(
    name="Pillarbox",
    address=("Sample Street 1", "12345 Sampleton"),
    country="DE",
    email="help@shop.example",
    phone="+49 30 1234567",
    vat_id="DE123456789",
    register="Amtsgericht Sampleton, HRB 1234",
)
ADA = Buyer("Ada Lovelace", ("12 St James's Square", "London SW1Y 4JH"), "GB")
LUCJA = Buyer("Łucja Żółć-Nguyễn", ("ул. Почтовая, д. 5", "東京都千代田区", "القاهرة"), "PL")
HOSTILE_NAME = 'O\'Reilly "<b>" & Söhne</script> '.ljust(100, "y")
HOSTILE_WORDS = "<script>alert(1)</script></title><!-- &amp; {{ 7*7 }} {% raw %}"
MARKDOWN_WORDS = "A | B [c](https://evil.example) **d** _e_ \\. \u202egnirts\u202c"
HOSTILE_BUYER = Buyer(
    HOSTILE_NAME, ("<img src=x onerror=alert(1)>", "%(name)s %s {0}", "--", "> quoted"), "XX"
)
