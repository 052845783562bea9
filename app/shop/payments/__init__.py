"""Payments: what a payment provider does for the shop, and what its answer makes of an order. Pages
stand in `views`.
"""
