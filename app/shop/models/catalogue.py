"""What the shop's file says: the seller, the rates of VAT, and the products with their files."""

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, Date, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database.base import Base
from app.shop.models.columns import Amount, Sha256


class Seller(Base):
    """Who sells, in a single row."""

    __tablename__ = "shop_seller"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    """Postal address, with line breaks."""
    country: Mapped[str] = mapped_column(String(2))
    """ISO 3166-1 alpha-2, in capitals."""
    email: Mapped[str] = mapped_column(String(320))
    phone: Mapped[str] = mapped_column(Text)
    vat_id: Mapped[str] = mapped_column(String(20))
    register: Mapped[str] = mapped_column(Text)
    """Where the company is registered, and its number there."""
    statement_name: Mapped[str] = mapped_column(String(22))
    """The seller's name on the customer's card statement."""
    currency: Mapped[str] = mapped_column(String(3))
    """The currency of every price (ISO 4217)."""
    is_exempt: Mapped[bool]
    """Whether the seller charges no VAT. Then ``vat_sentence`` stands in its place."""
    vat_sentence: Mapped[dict[str, str]] = mapped_column(JSON)
    """By language."""
    terms: Mapped[dict[str, str]] = mapped_column(JSON)
    """The terms and conditions as plain text, by language."""

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class TaxRate(Base):
    """A rate of VAT that a class of products has in a country, from a day on."""

    __tablename__ = "shop_tax_rate"

    id: Mapped[int] = mapped_column(primary_key=True)
    tax_class: Mapped[str] = mapped_column(String(32))
    country: Mapped[str] = mapped_column(String(2))
    """ISO 3166-1 alpha-2, or ``EU`` for each of its members that has no rate of its own."""
    starts_on: Mapped[date] = mapped_column(Date)
    rate: Mapped[int]

    __table_args__ = (
        UniqueConstraint("tax_class", "country", "starts_on"),
        CheckConstraint("rate >= 0", name="rate"),
    )


class File(Base):
    """A file that is sold or shown. It lies under its digest in the folder ``shop.files``."""

    __tablename__ = "shop_file"

    sha256: Mapped[Sha256] = mapped_column(primary_key=True)
    size: Mapped[int]
    """Octets."""
    created_at: Mapped[datetime]


class Product(Base):
    """A download to buy. Its price includes VAT and is the same in every country."""

    __tablename__ = "shop_product"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    price: Mapped[Amount]
    tax_class: Mapped[str] = mapped_column(String(32))
    file_sha256: Mapped[str] = mapped_column(ForeignKey(File.sha256))
    file_name: Mapped[str] = mapped_column(Text)
    """The name under which the customer's browser saves the download."""
    picture_sha256: Mapped[str | None] = mapped_column(ForeignKey(File.sha256))
    picture_type: Mapped[str | None] = mapped_column(String(32))
    """The picture's media type."""
    position: Mapped[int] = mapped_column(default=0)
    """Order in the catalogue, the lowest first."""
    is_available: Mapped[bool] = mapped_column(default=True)

    texts: Mapped[list["ProductText"]] = relationship(
        lazy="selectin", order_by="ProductText.position", cascade="all, delete-orphan"
    )

    __table_args__ = (CheckConstraint("price >= 0", name="price"),)

    def text(self, locale: str) -> "ProductText":
        """The texts for a reader of ``locale``: in that language, else in the file's first."""
        language = locale.partition("_")[0]
        for wanted in (locale, language):
            for text in self.texts:
                if text.locale == wanted:
                    return text
        return self.texts[0]


class ProductText(Base):
    """What a product is called in a language."""

    __tablename__ = "shop_product_text"

    product_id: Mapped[int] = mapped_column(
        ForeignKey(Product.id, ondelete="CASCADE"), primary_key=True
    )
    locale: Mapped[str] = mapped_column(String(16), primary_key=True)
    position: Mapped[int]
    """0 for the language that readers of other languages get."""
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(120))
    """What the download is, such as "PDF, 160 pages"."""
