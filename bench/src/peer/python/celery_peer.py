"""Celery's worker, and its client that prints what it measured: `rate` or `p50`, tasks, in flight."""

import os
import sys
import time
from collections import deque
from statistics import median

from celery import Celery

QUEUE = os.environ["OUTWORK_BENCH_QUEUE"]
VALUE = "7" * 64

app = Celery("celery_peer", broker=os.environ["OUTWORK_BENCH_URL"], backend="rpc://")
app.conf.task_default_queue = QUEUE
app.conf.broker_connection_retry_on_startup = True


@app.task
def echo(value):
    return value


def finish(result):
    assert result.get(timeout=60) == VALUE


def slide(tasks, in_flight):
    window = deque()
    for _ in range(tasks):
        if len(window) == in_flight:
            finish(window.popleft())
        window.append(echo.delay(VALUE))
    for result in window:
        finish(result)


def rate(tasks, in_flight):
    slide(tasks // 10, in_flight)
    start = time.perf_counter()
    slide(tasks, in_flight)
    return tasks / (time.perf_counter() - start)


def p50(calls, _in_flight):
    times = []
    for _ in range(calls // 10 + calls):
        start = time.perf_counter()
        finish(echo.delay(VALUE))
        times.append(time.perf_counter() - start)
    return median(times[calls // 10 :]) * 1e6


def main():
    measure = {"rate": rate, "p50": p50}[sys.argv[1]]
    print(measure(int(sys.argv[2]), int(sys.argv[3])))
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(QUEUE)
        connection.default_channel.exchange_delete(QUEUE)


if __name__ == "__main__":
    main()
