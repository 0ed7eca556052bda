"""Runs a peer's checking function on the workload from a pool of processes, and prints what it took."""

import json
import math
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor

WORKLOAD = json.load(sys.stdin)
TASKS = WORKLOAD["tasks"]


def cpu_seconds():
    """Of this process and of the children it waited for."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def timed(check, number):
    """In a worker: whether the peer judged one program as it should, and what that took."""
    cpu_before, begun = cpu_seconds(), time.perf_counter()
    is_right = check(TASKS[number % len(TASKS)])
    return is_right, time.perf_counter() - begun, cpu_seconds() - cpu_before


def percentile(ordered, share):
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def measure(check, about):
    clients, count = WORKLOAD["clients"], WORKLOAD["programs"]
    with ProcessPoolExecutor(max_workers=clients) as pool:
        # The workers start with the first programs; those are not counted.
        list(pool.map(timed, [check] * 2 * len(TASKS), range(2 * len(TASKS))))
        cpu_before, begun = cpu_seconds(), time.perf_counter()
        results = list(pool.map(timed, [check] * count, range(count)))
        seconds, own_cpu = time.perf_counter() - begun, cpu_seconds() - cpu_before
    latencies = sorted(latency * 1000 for _, latency, _ in results)
    answer = {
        "about": "%s on Python %s" % (about, sys.version.split()[0]),
        "programs": count,
        "seconds": seconds,
        "cpu_seconds": own_cpu + sum(cpu for _, _, cpu in results),
        "wrong": sum(not is_right for is_right, _, _ in results),
        "p50_ms": percentile(latencies, 0.50),
        "p99_ms": percentile(latencies, 0.99),
    }
    sys.__stdout__.write(json.dumps(answer))
