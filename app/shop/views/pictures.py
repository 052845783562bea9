"""The pictures of products, from the folder ``shop.files``."""

import logging
from pathlib import Path

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import FileResponse
from pyramid.view import view_config
from sqlalchemy import select

from app.shop.models import Product

log = logging.getLogger(__name__)

FOR_EVER = "public, max-age=31536000, immutable"
"""A year. The address is the content's hash, so another picture has another address."""
AS_PICTURE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""An SVG that is opened by itself is a document. It runs no script and fetches nothing."""


@view_config(route_name="picture", request_method="GET")
def show_picture(request: Request) -> FileResponse:
    """Send a picture. 404 for a file that is no product's picture, such as a download."""
    digest = request.matchdict["sha256"]
    of_product = select(Product.picture_type).where(Product.picture_sha256 == digest).limit(1)
    kind = request.dbsession.scalar(of_product)
    if kind is None:
        raise HTTPNotFound()
    path: Path = request.registry.pillarbox.shop.files / digest
    try:
        response = FileResponse(path, request, content_type=kind)
    except OSError as error:
        log.error("picture cannot be read: file=%s problem=%s", digest, error.strerror)
        raise HTTPNotFound() from error
    response.headers["Cache-Control"] = FOR_EVER
    response.headers["Content-Security-Policy"] = AS_PICTURE
    return response
