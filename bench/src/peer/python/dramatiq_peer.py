"""Dramatiq's worker, and its client that prints what it measured: `rate` or `p50`, tasks, in flight.

Without a store of results the worker says that a task is done by a byte into a named pipe.
"""

import os
import sys
import time
from statistics import median

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

QUEUE = os.environ["OUTWORK_BENCH_QUEUE"]
VALUE = "7" * 64

broker = RabbitmqBroker(url=os.environ["OUTWORK_BENCH_URL"])
dramatiq.set_broker(broker)
# Opened for both, so that neither side waits for the other here.
done = os.open(os.environ["OUTWORK_BENCH_DONE"], os.O_RDWR)


@dramatiq.actor(queue_name=QUEUE)
def echo(value):
    assert value == VALUE
    os.write(done, b".")


def finished():
    return len(os.read(done, 65536))


def slide(tasks, in_flight):
    sent = ended = 0
    while ended < tasks:
        while sent < tasks and sent - ended < in_flight:
            echo.send(VALUE)
            sent += 1
        ended += finished()


def rate(tasks, in_flight):
    slide(tasks // 10, in_flight)
    start = time.perf_counter()
    slide(tasks, in_flight)
    return tasks / (time.perf_counter() - start)


def p50(calls, _in_flight):
    times = []
    for _ in range(calls // 10 + calls):
        start = time.perf_counter()
        slide(1, 1)
        times.append(time.perf_counter() - start)
    return median(times[calls // 10 :]) * 1e6


def main():
    measure = {"rate": rate, "p50": p50}[sys.argv[1]]
    print(measure(int(sys.argv[2]), int(sys.argv[3])))
    for queue in (QUEUE, QUEUE + ".DQ", QUEUE + ".XQ"):
        broker.channel.queue_delete(queue)


if __name__ == "__main__":
    main()
