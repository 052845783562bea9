"""``./run bench [--quick] [NAMES]``: runs the benchmarks, and prints a table for each."""

import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

import click

from benchmarks import (
    claims,
    commit_to_relay,
    context_to_relay,
    delivery,
    distant_relay,
    documents,
    events,
    hanging_stripe,
    known_addresses,
    log,
    memory,
    resend,
    settling,
    sign_ins,
    sign_up,
)
from benchmarks.databases import Databases
from benchmarks.table import Section

BENCHMARKS: dict[str, Callable[..., Section]] = {
    "context": context_to_relay.run,
    "delivery": delivery.run,
    "distance": distant_relay.run,
    "sign-up": sign_up.run,
    "sign-ins": sign_ins.run,
    "known-addresses": known_addresses.run,
    "settle": settling.run,
    "till": hanging_stripe.run,
    "latency": commit_to_relay.run,
    "claims": claims.run,
    "resend": resend.run,
    "log": log.run,
    "events": events.run,
    "documents": documents.run,
    "memory": memory.run,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option(
    "--quick", is_flag=True, help="Only check that everything runs. The figures mean nothing."
)
def main(names: tuple[str, ...], quick: bool) -> None:
    """Measure what Pillarbox costs, beside other ways to send email.

    NAMES choose benchmarks. Without them all run, which takes a quarter of an hour.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    click.echo(f"Python {platform.python_version()}, {os.cpu_count()} processors\n")
    failed = False
    with Databases() as databases:
        for name in names or BENCHMARKS:
            begun = time.monotonic()
            try:
                section = BENCHMARKS[name](databases, quick=quick)
            except Exception as error:
                failed = True
                click.echo(f"{name} failed: {type(error).__name__}: {error}\n", err=True)
            else:
                click.echo(f"{section}  ({name}, {time.monotonic() - begun:.0f} s)\n")
    sys.exit(failed)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    sys.exit(1)


if __name__ == "__main__":
    main()
