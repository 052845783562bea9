"""What tests of several rooms share: relays, databases and processes to test against, and the steps
of customers. What one room alone needs stands in that room. Shared fixtures stand in
``tests/conftest.py``, so that most modules here need no pytest and serve the benchmarks too.
"""
