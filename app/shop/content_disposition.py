"""The header that names a file which a browser saves (RFC 6266)."""

from urllib.parse import quote


def attachment(name: str) -> str:
    """``attachment`` with a file name of any script (RFC 8187)."""
    return f"attachment; filename*=utf-8''{quote(name, safe='')}"
