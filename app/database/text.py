"""Text that both databases accept."""


def storable(text: str) -> str:
    """``text`` with a replacement for what a database refuses: PostgreSQL NUL, both a lone
    surrogate.
    """
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
