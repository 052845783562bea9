"""TLS to the relay and to the token server: it is always verified."""

import ssl
from functools import cache


@cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The TLS context for a relay: verified certificate and host name, TLS 1.2 or newer.

    ``ca_file`` is a PEM file of authorities; None means the system's. The context is made once per
    process, because reading the system's authorities takes 28 ms.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@cache
def web_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The TLS context for a web server: as ``tls_context``, but with the authorities of ``ca_file``
    beside the system's, because a private relay may get its tokens from a public server.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
