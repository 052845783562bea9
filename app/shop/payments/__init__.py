"""Payments: the payment providers, and how a payment's result makes an order paid.

The pages are in ``app.shop.views``.
"""
