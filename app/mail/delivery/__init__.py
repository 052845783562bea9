"""Delivery: a worker takes due emails from the outbox, hands them to the relay and records the
outcome. How SMTP is spoken stands in `smtp`, how a row changes in `outbox`.
"""
