"""The catalogue, and the page of each product."""

from functools import partial
from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shop.checkout import in_language
from app.shop.forms import QuantityForm
from app.shop.models import Product, Seller

Page = dict[str, Any]


@view_config(route_name="home", request_method="GET", renderer="shop/catalogue.jinja2")
def catalogue(request: Request) -> Page:
    """Show every product that can be bought."""
    products = request.dbsession.scalars(
        select(Product).where(Product.is_available).order_by(Product.position, Product.id)
    )
    return {
        "products": products.all(),
        **prices(request, request.dbsession),
    }


@view_config(route_name="product", request_method="GET", renderer="shop/product.jinja2")
def product(request: Request) -> Page:
    """Show one product, and the form that adds it to the basket."""
    found = request.dbsession.scalars(
        select(Product).where(Product.slug == request.matchdict["slug"])
    ).one_or_none()
    if found is None:
        raise HTTPNotFound()
    quantity = request.visitor.basket.get(found.slug, 1)
    form = QuantityForm.showing(request, found.slug, quantity)
    return product_page(request, request.dbsession, found, form)


def product_page(request: Request, session: Session, product: Product, form: QuantityForm) -> Page:
    """The template variables for the page of ``product`` with ``form``."""
    return {
        "product": product,
        "text": product.text(request.locale_name),
        **prices(request, session),
        "in_basket": request.visitor.basket.get(product.slug, 0),
        "quantity_form": form,
    }


def prices(request: Request, session: Session) -> Page:
    """The template variables of a page with products: their currency, the sentence that a seller
    who charges no VAT shows beside prices (else ``""``), and where their pictures are.
    """
    seller = session.get(Seller, 1)
    sentence = ""
    if seller is not None and seller.is_exempt:
        sentence = in_language(seller.vat_sentence, request.locale_name)
    return {
        "currency": seller.currency if seller else "",
        "vat_sentence": sentence,
        "picture": partial(_picture_path, request),
    }


def _picture_path(request: Request, product: Product | None) -> str | None:
    if product is None or product.picture_sha256 is None:
        return None
    path: str = request.route_path("picture", sha256=product.picture_sha256)
    return path
