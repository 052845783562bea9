"""The ``pillarbox`` command: one file for each thing it does. All begin as `application` says."""

import click

from app.commands import (
    adopt,
    bounces,
    deliver,
    doctor,
    emails,
    lint,
    payments,
    preview,
    reconcile,
    refund,
    send_test,
    serve,
    shop,
    staff,
    withdrawals,
)


@click.group()
@click.version_option(package_name="pillarbox")
def main() -> None:
    """Run and look after a Pillarbox shop."""


for command in (
    serve.serve,
    deliver.deliver,
    doctor.doctor,
    emails.emails,
    preview.preview,
    lint.lint,
    send_test.send_test,
    serve.migrate,
    adopt.adopt,
    bounces.bounce,
    bounces.bounces,
    payments.payments,
    reconcile.reconcile,
    refund.refund,
    shop.shop,
    staff.staff,
    withdrawals.withdrawals,
):
    main.add_command(command)
