"""Images in an email's HTML, which are attached files. The HTML names one by its Content-ID, which
begins with the file name: ``<img src="cid:logo-1a2b3c4d.png@shop.example">`` (RFC 2392).

An attachment belongs into the HTML if the HTML shows it, so the outbox stores no more about it.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence

from app.mail.outbox.tables import EmailAttachment

_IMAGE = re.compile(r'(<img\b[^>]*?\bsrc=")cid:(([^"@\s]+)@[^"@\s]+)(")')


def content_ids(html: str | None) -> Mapping[str, str]:
    """The Content-ID of each file that the HTML shows, by the name of the file."""
    return {name: content_id for _, content_id, name, _ in _IMAGE.findall(html or "")}


def with_data_urls(html: str, attachments: Sequence[EmailAttachment]) -> str:
    """``html`` with its attached images in it, for a browser, which has no attachments."""
    files = {attachment.filename: attachment for attachment in attachments}

    def embedded(image: re.Match[str]) -> str:
        file = files.get(image[3])
        if file is None:
            return image[0]
        data = b64encode(file.content).decode("ascii")
        return f"{image[1]}data:{file.content_type};base64,{data}{image[4]}"

    return _IMAGE.sub(embedded, html)
