"""Delivery: claims due emails, hands them to the relay and settles its verdicts."""
