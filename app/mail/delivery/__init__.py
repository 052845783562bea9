"""Delivery: a worker claims due emails from the outbox, hands them to the relay and settles its
verdicts. `smtp` speaks to the relay, and `outbox` changes the rows.
"""
