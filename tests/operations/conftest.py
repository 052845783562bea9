"""A server in a process of its own."""

from functools import partial
from pathlib import Path

import pytest

from tests.support.raw_requests import Serve, serving


@pytest.fixture
def serve(tmp_path: Path, sqlite_url: str) -> Serve:
    return partial(serving, tmp_path, sqlite_url)
