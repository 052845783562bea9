"""Enhanced status codes (RFC 3463) in the words of a service or an email server."""

import re

_CODE = re.compile(r"(?<![0-9.])[245]\.[0-9]{1,3}\.[0-9]{1,3}(?!\.?[0-9])")


def enhanced_code(*texts: str) -> str | None:
    """The first code in ``texts`` that says more than "it failed", as 5.0.0 does not. Else the
    first code. None when there is none.
    """
    found = [code for text in texts for code in _CODE.findall(text)]
    precise = [code for code in found if not code.endswith(".0.0")]
    return next(iter(precise or found), None)
