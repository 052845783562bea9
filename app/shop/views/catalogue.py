"""The catalogue, and the page of each product."""

from functools import partial
from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import Session

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
        "currency": _currency(request.dbsession),
        "picture": partial(picture, request),
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
        "currency": _currency(session),
        "picture": partial(picture, request),
        "in_basket": request.visitor.basket.get(product.slug, 0),
        "quantity_form": form,
    }


def picture(request: Request, product: Product | None) -> str | None:
    """The path of a product's drawing, or None if it has none or the file is missing."""
    try:
        return request.static_path(f"app:static/shop/{product.slug}.svg") if product else None
    except FileNotFoundError:
        return None


def _currency(session: Session) -> str:
    seller = session.get(Seller, 1)
    return seller.currency if seller else ""
