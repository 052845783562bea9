"""The products' pictures, which the shop's owner imported with the shop's file."""

from pathlib import Path

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import FileResponse
from pyramid.view import view_config
from sqlalchemy import select

from app.shop.models import Product

POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""The Content-Security-Policy of a picture. An SVG is a document, which may hold scripts: opened on
its own it has its styles, runs nothing, loads nothing and has no origin.
"""
FOREVER = "public, max-age=31536000, immutable"
"""A picture's address is its digest, so what is at an address never changes."""


@view_config(route_name="picture", request_method="GET")
def picture(request: Request) -> FileResponse:
    """Send the picture with this SHA-256. Other files of the shop are for those who bought them."""
    digest = request.matchdict["sha256"]
    media_type = request.dbsession.scalar(
        select(Product.picture_type).where(Product.picture_sha256 == digest).limit(1)
    )
    if media_type is None:
        raise HTTPNotFound()
    folder: Path = request.registry.pillarbox.shop.files
    try:
        response = FileResponse(folder / digest, request, content_type=media_type)
    except FileNotFoundError:
        raise HTTPNotFound() from None
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = FOREVER
    return response
