"""The size of a PNG image (W3C PNG 5.2 and 11.2.2)."""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises ``ValueError`` if it is no PNG image, or a damaged one."""
    if not content.startswith(_SIGNATURE):
        raise ValueError("is not a PNG image")
    chunks: dict[bytes, bytes] = {}
    position = len(_SIGNATURE)
    while b"IEND" not in chunks:
        length, name = struct.unpack_from(">I4s", content.ljust(position + 8, b"\0"), position)
        end = position + 8 + length
        checksum = zlib.crc32(content[position + 4 : end]).to_bytes(4)
        if content[end : end + 4] != checksum:
            raise ValueError("is a damaged PNG image")
        chunks.setdefault(name, content[position + 8 : end])
        position = end + 4
    if len(chunks.get(b"IHDR", b"")) != 13 or b"IDAT" not in chunks:
        raise ValueError("is a damaged PNG image")
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    return width, height
