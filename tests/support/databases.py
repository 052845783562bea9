"""Marks for tests that are about one of the two databases. Without a mark, a test that uses the
fixture ``database_url`` runs on SQLite and on PostgreSQL.
"""

import pytest

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
