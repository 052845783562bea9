"""PNG images for tests."""

import struct
import zlib


def png(width: int, height: int, grey: int = 90) -> bytes:
    """A PNG image of one colour."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes([grey]) * width) * height)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + zlib.crc32(name + data).to_bytes(4)
        for name, data in ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b""))
    )
