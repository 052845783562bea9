"""What tests of several rooms share: relays, databases and processes to test against, and the steps
of customers. What one room alone needs stands in that room; fixtures stand in ``conftest.py``, so
that the benchmarks, which have no pytest, can use these modules too.
"""
