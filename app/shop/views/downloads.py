"""The buttons of an order's downloads.

A download is a POST, because a mail scanner that follows links must not begin one: the first
download ends the customer's right of withdrawal.
"""

import logging
import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import FileIter, Response
from pyramid.view import view_config

from app.accounts.permissions import SIGNED_IN
from app.database import short_transaction
from app.i18n import formats
from app.shop.content_disposition import attachment
from app.shop.downloads import EACH_FILE, begin_download, can_be_downloaded, give_consent
from app.shop.emails import Notice, send_shop_notice
from app.shop.models import File, Order, OrderLine
from app.shop.views.own_orders import number_of, own_order
from app.web import limits
from app.web.headers import keep_private
from app.web.translation import _, tell

log = logging.getLogger(__name__)

BLOCK = 256 * 1024
"""How much of a file is read at once, in octets."""


@view_config(route_name="start_download", request_method="POST", permission=SIGNED_IN)
def start_download(request: Request) -> HTTPSeeOther:
    """Open the downloads of an order, as its button says, and go back to the order."""
    number = number_of(request)
    with short_transaction(request.registry, write=True) as session:
        give_consent(request, session, own_order(request, session, number))
    return HTTPSeeOther(request.route_path("order", number=number))


@view_config(route_name="file", request_method="POST", permission=SIGNED_IN)
def download(request: Request) -> Response:
    """Send a file of the customer's own order. 404 for another customer's, and for one that is not
    open.
    """
    number = number_of(request)
    with short_transaction(request.registry, write=False) as session:
        order = own_order(request, session, number)
        line = _line(request, order)
        stored = session.get_one(File, line.file_sha256)
    wait = limits.use(request.registry, EACH_FILE, f"{order.id}/{line.position}", request.now)
    if wait is not None:
        return _back(
            request,
            number,
            _(
                "You have downloaded this file ${count} times today. Try again in ${wait}.",
                mapping={
                    "count": EACH_FILE.count,
                    "wait": formats.duration(wait, request.locale_name),
                },
            ),
        )
    try:
        file = _open_file(request.registry.pillarbox.shop.files / stored.sha256, stored.size)
    except OSError as error:
        _tell_of_missing_file(request, order, line, error)
        return _back(
            request,
            number,
            _(
                "This file cannot be downloaded at the moment, because of a fault of ours. Write to"
                " ${address} and state the order number.",
                mapping={"address": order.seller_support_email},
            ),
        )
    with short_transaction(request.registry, write=True) as session:
        is_open = begin_download(session, line, request.now)
    if not is_open:
        file.close()
        raise HTTPNotFound()
    keep_private(request)
    kind = mimetypes.guess_type(line.file_name)[0] or "application/octet-stream"
    response = Response(app_iter=_blocks(request, file), content_type=kind, charset=None)
    response.content_length = stored.size
    response.content_disposition = attachment(line.file_name)
    return response


def _open_file(path: Path, size: int) -> BinaryIO:
    """The opened file. Raises ``OSError`` if it is missing, or has another size than it had."""
    file = path.open("rb")
    found = path.stat().st_size
    if found != size:
        file.close()
        raise OSError(0, f"it has {found} octets in place of {size}")
    return file


def _blocks(request: Request, file: BinaryIO) -> Iterable[bytes]:
    """The file in blocks. The server that has a way of its own to send a file needs none of its
    threads while a slow customer reads.
    """
    send = request.environ.get("wsgi.file_wrapper", FileIter)
    blocks: Iterable[bytes] = send(file, BLOCK)
    return blocks


def _tell_of_missing_file(
    request: Request, order: Order, line: OrderLine, problem: OSError
) -> None:
    """Log it, and tell the shop's own people once a day for each file."""
    log.error(
        "file of an order cannot be read: order=%d line=%d file=%s problem=%s",
        order.id,
        line.position,
        line.file_sha256,
        problem.strerror,
    )
    with short_transaction(request.registry, write=True) as session:
        send_shop_notice(
            request,
            session,
            Notice.FILE_MISSING,
            f"{line.file_sha256}:{request.now:%Y-%m-%d}",
            order=order,
            reason=f"{line.file_sha256}: {problem.strerror}",
        )


def _line(request: Request, order: Order) -> OrderLine:
    """The line of the order that the address names. Raises 404 unless it can be downloaded."""
    position = request.matchdict["position"]
    for line in order.lines:
        if str(line.position) == position and can_be_downloaded(order, line):
            return line
    raise HTTPNotFound()


def _back(request: Request, number: str, message: str) -> HTTPSeeOther:
    tell(request, message)
    return HTTPSeeOther(request.route_path("order", number=number))
