"""Dramatiq's worker, and its client that prints what it measured: `rate`, tasks, in flight.

Without a store of results the worker says that a task is done by a byte into a named pipe.
"""

import os
import sys
import time

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


def main():
    assert sys.argv[1] == "rate"
    tasks, in_flight = map(int, sys.argv[2:])
    slide(tasks // 10, in_flight)
    start = time.perf_counter()
    slide(tasks, in_flight)
    print(tasks / (time.perf_counter() - start))
    for queue in (QUEUE, QUEUE + ".DQ", QUEUE + ".XQ"):
        broker.channel.queue_delete(queue)


if __name__ == "__main__":
    main()
