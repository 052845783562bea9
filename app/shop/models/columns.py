"""Column types that several tables share."""

from typing import Annotated

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import mapped_column

Amount = Annotated[int, mapped_column(BigInteger)]
"""Whole minor units. The total of a full basket can exceed 32 bits."""

Sha256 = Annotated[str, mapped_column(String(64))]
"""A SHA-256 digest in hexadecimal."""
