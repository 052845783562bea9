"""Measures what Pillarbox costs, beside other ways to send email: ``./run bench``. What these share
with the tests stands in ``tests/support``.
"""
