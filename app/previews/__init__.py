"""Previews: every sample of every kind of email in every language, and the lint that checks
each one. Only commands, the development pages and tests use them; no email is sent from here.

The libraries that they need are the extra ``previews``. A shop that only sends does without.
"""

try:
    import cssselect2  # noqa: F401
    import lxml  # noqa: F401
    import tinycss2  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Previews and the lint need {error.name}, which is not installed."
        " Install it: pip install 'pillarbox[previews]'",
        name=error.name,
    ) from None
