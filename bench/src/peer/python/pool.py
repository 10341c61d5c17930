"""Prints the tasks per second of a pool of two processes: pool, tasks, in flight, payload in bytes."""

import sys
import time
from collections import deque


def same(value):
    return value


def slide(submit, value, tasks, in_flight):
    window = deque()
    for _ in range(tasks):
        if len(window) == in_flight:
            window.popleft().result()
        window.append(submit(value))
    for future in window:
        future.result()


def main():
    name, numbers = sys.argv[1], sys.argv[2:]
    tasks, in_flight, payload = map(int, numbers)
    value = bytes(payload) if payload else None
    if name == "pebble":
        from pebble import ProcessPool

        pool = ProcessPool(max_workers=2)
        submit = lambda value: pool.schedule(same, args=(value,))
    else:
        from concurrent.futures import ProcessPoolExecutor

        pool = ProcessPoolExecutor(max_workers=2)
        submit = lambda value: pool.submit(same, value)
    slide(submit, value, tasks // 10, in_flight)
    start = time.perf_counter()
    slide(submit, value, tasks, in_flight)
    print(tasks / (time.perf_counter() - start))
    if name == "pebble":
        pool.close()
        pool.join()
    else:
        pool.shutdown()


main()
