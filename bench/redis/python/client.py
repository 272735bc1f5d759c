"""client.py PORT - a peer in Python: limits over redis-py, as its documentation shows it.

Reads commands, one a line, and answers each with one of JSON:

    once LIMIT KEY        asks once; LIMIT is open or tight, as ../measure.py has them
    run LANES KEYS MS     asks for MS milliseconds from LANES threads, one by one each"""

import json
import sys
import threading
import time

from limits import parse
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

# As LOAD_STEP.
STEP = 61803

LIMITS = {"open": parse("1000/day"), "tight": parse("1/hour")}


class Lane(threading.Thread):
    """Asks about one key after another until the time is over."""

    def __init__(self, limiter, at, keys, end):
        super().__init__()
        self.limiter, self.at, self.keys, self.end = limiter, at, keys, end
        self.admitted = 0
        self.ns = []

    def run(self):
        before = time.perf_counter_ns()
        while before < self.end:
            self.admitted += self.limiter.hit(LIMITS["open"], f"user:{self.at:011d}")
            after = time.perf_counter_ns()
            self.ns.append(after - before)
            self.at = (self.at + STEP) % self.keys
            before = after


class Client:
    def __init__(self, port):
        self.limiter = FixedWindowRateLimiter(RedisStorage(f"redis://127.0.0.1:{port}"))
        self.next = 0

    def once(self, limit, key):
        return {"admitted": int(self.limiter.hit(LIMITS[limit], key))}

    def run(self, lanes, keys, milliseconds):
        start = time.perf_counter_ns()
        end = start + milliseconds * 1000000
        threads = [Lane(self.limiter, (self.next + i * keys // lanes) % keys, keys, end)
                   for i in range(lanes)]
        if lanes == 1:
            threads[0].run()
        else:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        elapsed = time.perf_counter_ns() - start
        times = sorted(ns for thread in threads for ns in thread.ns)
        self.next = (self.next + len(times) * STEP) % keys
        return {"count": len(times), "admitted": sum(thread.admitted for thread in threads),
                "ns": elapsed, "p50": times[(len(times) - 1) * 50 // 100],
                "p99": times[(len(times) - 1) * 99 // 100]}

    def command(self, words):
        if len(words) == 3 and words[0] == "once":
            return self.once(words[1], words[2])
        if len(words) == 4 and words[0] == "run":
            return self.run(int(words[1]), int(words[2]), int(words[3]))
        sys.exit(f"bench/redis/python: what is meant by: {' '.join(words)}")


def main():
    client = Client(int(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(client.command(line.split())), flush=True)


if __name__ == "__main__":
    main()
