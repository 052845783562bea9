"""Disputes: customers' banks take money back."""

from pyramid.request import Request

from app.shop.payments.provider import DisputeResult


def take_dispute(request: Request, dispute: DisputeResult, *, event: tuple[str, str]) -> None:
    """Record a dispute, and tell staff about it once."""
