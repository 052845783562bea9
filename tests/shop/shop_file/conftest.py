"""A folder of its own for what the test's shop sells."""

from pathlib import Path

import pytest


@pytest.fixture
def sold(tmp_path: Path) -> Path:
    """The folder ``shop.files``."""
    return tmp_path / "sold"


@pytest.fixture
def settings_values(settings_values: dict[str, str], sold: Path) -> dict[str, str]:
    return settings_values | {"shop.files": str(sold)}
