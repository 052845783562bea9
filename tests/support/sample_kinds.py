"""Every kind of email that the shop sends, and every preview of its samples. The registry is that
of a configured application, and it needs no database.
"""

from app import configure
from app.previews.preview import previews_of
from tests.support.shop_settings import shop_settings

REGISTRY = configure({}, shop_settings("sqlite://")).registry
KINDS = {kind.name: kind for kind in REGISTRY.email_kinds}
PREVIEWS = [preview for kind in KINDS.values() for preview in previews_of(REGISTRY, kind)]
