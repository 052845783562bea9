"""Password hashes that take no time, since nearly every test of an account makes or checks some."""

from argon2 import PasswordHasher
from argon2.low_level import Type

from app.accounts import passwords

REAL_HASHER = passwords._hasher


def hash_cheaply() -> None:
    """From now on, hash passwords in this process with the least work that argon2id allows."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.ID)
    passwords._dummy_hash = passwords._hasher.hash("nobody's password")
