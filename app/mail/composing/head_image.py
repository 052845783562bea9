"""The logo in the head of every email, as an attached file that the layout shows."""

from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from app.mail.message import Attachment
from app.settings.declarations import Site
from app.settings.values import Logo

WIDEST, HIGHEST = 240, 48
"""CSS pixels. A larger logo is shown smaller, and is then sharp on a fine screen."""


@dataclass(frozen=True, slots=True)
class HeadImage:
    """``src`` is what the HTML names ``file`` by. ``height`` is in CSS pixels. The width follows
    from it, so a program that shows no images has room for the name.
    """

    file: Attachment
    src: str
    height: int


def head_image(name: str, logo: Logo, site: Site) -> HeadImage:
    """The image for a logo. Another logo gets another file name, so no program mixes them up."""
    filename = f"{name}-{sha256(logo.content).hexdigest()[:8]}.png"
    scale = min(1, WIDEST / logo.width, HIGHEST / logo.height)
    return HeadImage(
        Attachment(filename, "image/png", logo.content),
        f"cid:{filename}@{urlsplit(site.base_url).hostname}",
        round(logo.height * scale),
    )
