"""Sends email as users of Dramatiq do: in an actor."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks import tutorial

dramatiq.set_broker(RedisBroker(url="unix://" + os.environ["BENCHMARK_REDIS"]))


@dramatiq.actor
def send(port: int, recipient: str, subject: str, text: str, html: str) -> None:
    tutorial.send(port, recipient, subject, text, html)
