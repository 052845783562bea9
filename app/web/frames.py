"""Frames: an email's HTML is shown only in a sandboxed frame of its own (STANDARDS C8)."""

from pyramid.request import Request

from app.web.headers import CONTENT_SECURITY_POLICY

FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""The Content-Security-Policy of a frame: an email may have styles and open its links, and do
nothing else.
"""


def allow_frames(request: Request) -> None:
    """Let the page hold frames of this site. Other pages may hold none."""
    request.response.headers["Content-Security-Policy"] = (
        CONTENT_SECURITY_POLICY + "; frame-src 'self'"
    )
