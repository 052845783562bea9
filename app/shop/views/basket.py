"""The basket's page.

Adding a product and changing its quantity both set the quantity. So a form that is sent twice has
the same effect as one that is sent once.
"""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.basket import price_basket
from app.shop.forms import QuantityForm
from app.shop.models import Product
from app.shop.views.catalogue import prices, product_page
from app.web.translation import _
from app.web.visitor import MOST_BASKET_LINES

Page = dict[str, Any]


@view_config(route_name="basket", request_method="GET", renderer="shop/basket.jinja2")
def basket(request: Request) -> Page:
    """Show the basket."""
    return _basket_page(request, request.dbsession)


@view_config(route_name="basket", request_method="POST", request_param="action=remove")
def remove(request: Request) -> HTTPSeeOther:
    """Remove a product, whether it is still sold or not."""
    request.visitor.set_quantity(request.POST.get("product", ""), 0)
    return HTTPSeeOther(request.route_path("basket"))


@view_config(route_name="basket", request_method="POST")
def set_quantity(request: Request) -> Response:
    """Set a product's quantity."""
    form = QuantityForm(request)
    # Only the cookie changes, so this transaction does not take the database's write lock.
    with short_transaction(request.registry, write=False) as session:
        product = session.scalars(
            select(Product).where(Product.slug == form.product.data, Product.is_available)
        ).one_or_none()
        if product is None:
            form.form_errors = [
                _("This product is no longer available. Your basket has not changed.")
            ]
            request.response.status_int = 422
        elif form.validate() and not request.visitor.set_quantity(
            product.slug, form.quantity.data or 0
        ):
            full = _(
                "Your basket is full: it can hold ${most} different products. Place this order"
                " first.",
                mapping={"most": MOST_BASKET_LINES},
            )
            form.refuse(form.quantity, full)
        if not form.errors:
            return HTTPSeeOther(request.route_path("basket"))
        if product is None or product.slug in request.visitor.basket:
            return _render(request, "shop/basket.jinja2", _basket_page(request, session, form))
    page = product_page(request, session, product, form) | {"form": form}
    return _render(request, "shop/product.jinja2", page)


def _basket_page(request: Request, session: Session, refused: QuantityForm | None = None) -> Page:
    basket = price_basket(session, request.visitor, request.locale_name)
    forms = {
        line.slug: QuantityForm.showing(request, line.slug, line.quantity) for line in basket.lines
    }
    page = {
        "basket": basket,
        "quantity_forms": forms,
        **prices(request, session),
    }
    if refused is None:
        return page
    forms[refused.product.data or ""] = refused
    return page | {"form": refused}


def _render(request: Request, template: str, page: Page) -> Response:
    return render_to_response(template, page, request=request, response=request.response)
