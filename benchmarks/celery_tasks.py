"""Sends email as users of Celery do: in a task that is acknowledged after it ends."""

import os

from celery import Celery

from benchmarks import tutorial

app = Celery("benchmarks", broker="redis+socket://" + os.environ["BENCHMARK_REDIS"])
app.conf.update(task_acks_late=True, task_ignore_result=True)


@app.task
def send(port: int, recipient: str, subject: str, text: str, html: str) -> None:
    tutorial.send(port, recipient, subject, text, html)
