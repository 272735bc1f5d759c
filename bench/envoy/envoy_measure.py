"""Measures `weir serve --envoy-config` against envoyproxy/ratelimit.

Both read the same file. Each has one worker (GOMAXPROCS=1 for the service in Go) and a processor to itself while it is
asked; the client (client.c) and the redis-server that both use have another. All are up at once, and take turns in each
round. A row is calls of ShouldRateLimit a second in a closed loop, and what the server took of its processor for each;
`pace` rows are latencies at half of the rate that envoyproxy/ratelimit reached, from when each call was due."""

import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import contenders
from programs import ROOT, Program, build_ours, first_line, machine, pinned_to, say
from server import free_port
from serve_measure import processor_us

KEYS = 100000
KEY = "user:00000000000"
DESCRIPTORS = {"one": 1, "ten": 10}
# connections, and calls at a time on each
SHAPES = {"10x32": (10, 32), "50x1": (50, 1), "1x1": (1, 1)}
PACED = "10x32"
FEW = 10
# Who takes part: weir or not, over Redis or not, and what else is set.
CONTENDERS = {
    "table": (True, False, {}),
    "redis": (True, True, {}),
    "service": (False, True, {}),
    "service-bare": (False, True, {"DISABLE_STATS": "true"}),
}
START_SECONDS = 30


# ---- What is asked ----


def configuration():
    lines = ["domain: bench", "descriptors:", "  - key: few",
             f"    rate_limit: {{unit: year, requests_per_unit: {FEW}}}"]
    for number in range(max(DESCRIPTORS.values())):
        lines += [f"  - key: user{number}", "    rate_limit: {unit: hour, requests_per_unit: 100000000}"]
    return "\n".join(lines) + "\n"


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(count):
    """A RateLimitRequest of so many descriptors of one entry, behind what gRPC puts in front."""
    out = field(1, b"bench")
    for number in range(count):
        out += field(2, field(1, field(1, b"user%d" % number) + field(2, KEY.encode())))
    return struct.pack(">BI", 0, len(out)) + out


# ---- Who answers ----


def build_service():
    """(program, "") of envoyproxy/ratelimit, or (None, why not)."""
    done = subprocess.run([os.path.join(ROOT, "tools", "envoy"), "ratelimit"], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        return None, "tools/envoy says: " + (done.stderr.strip().split("\n")[-1] or "nothing")
    return os.path.join(ROOT, "build", "envoy", "ratelimit", "run"), ""


class Service:
    """One of the services, with the file in `root`, over the redis-server at `redis` or over none."""

    def __init__(self, program, ours, root, redis, extra, processor):
        folder = os.path.join(root, "ratelimit", "config")
        self.grpc, self.http = free_port(), free_port()
        settings = {"HOST": "127.0.0.1", "PORT": str(self.http), "GRPC_HOST": "127.0.0.1",
                    "GRPC_PORT": str(self.grpc), "DEBUG_HOST": "127.0.0.1", "DEBUG_PORT": str(free_port()),
                    "RUNTIME_ROOT": root, "RUNTIME_SUBDIRECTORY": "ratelimit", "RUNTIME_WATCH_ROOT": "false",
                    "LOG_LEVEL": "ERROR", "USE_STATSD": "false"}
        if redis is not None:
            settings |= {"REDIS_SOCKET_TYPE": "tcp", "REDIS_URL": f"127.0.0.1:{redis}"}
        if not ours:
            settings["GOMAXPROCS"] = "1"
        command = [program, "serve", "--envoy-config", folder] if ours else [program]
        self.process = subprocess.Popen(command, env={**os.environ, **settings, **extra}, cwd=root,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=pinned_to(processor))
        self.pid = self.process.pid
        until = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit(f"bench: {program} does not start")
            time.sleep(0.01)
        self.resident_first = self.resident()

    def answers(self):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.http}/healthcheck", timeout=5).close()
            return contenders.rig._listens(self.grpc)
        return False

    def resident(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def allows(self, value):
        """Whether a call that has 10 a year is allowed."""
        body = {"domain": "bench", "descriptors": [{"entries": [{"key": "few", "value": value}]}]}
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/json", data=json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            if error.code != 429:
                raise
            return False

    def close(self):
        self.process.terminate()
        self.process.wait()


def check(services):
    """Before anything is measured: they count the same."""
    for name, service in services.items():
        allowed = [service.allows(name) for _ in range(2 * FEW)]
        if allowed != [True] * FEW + [False] * FEW:
            sys.exit(f"bench: {name} does not allow {FEW} and then none: {allowed}")


# ---- Rounds ----


class Session:
    def __init__(self, services, redis, client, milliseconds):
        self.services, self.redis, self.client, self.milliseconds = services, redis, client, milliseconds
        self.rows, self.paces = {}, {}
        for name, count in DESCRIPTORS.items():
            client.ask(f"ask {name} {message(count).hex()}")

    def round(self, note):
        for asked in DESCRIPTORS:
            for shape, (lanes, streams) in SHAPES.items():
                for name, service in self.services.items():
                    before, before_redis = processor_us(service.pid), processor_us(self.redis.pid)
                    answer = self.client.ask(f"run {asked} {service.grpc} {lanes} {streams} {KEYS} "
                                             f"{self.milliseconds}")
                    us = processor_us(service.pid) - before
                    redis_us = processor_us(self.redis.pid) - before_redis
                    if answer["allowed"] != answer["count"]:
                        sys.exit(f"bench: {name} denied what all have room for")
                    if note:
                        self.rows.setdefault(f"{asked}-{shape}", {}).setdefault(name, []).append(
                            {"rate": answer["count"] / answer["ns"] * 1e9, "server_us": us / answer["count"],
                             "redis_us": redis_us / answer["count"]})

    def half_load(self):
        for asked in DESCRIPTORS:
            rates = sorted(each["rate"] for each in self.rows[f"{asked}-{PACED}"]["service"])
            rate = int(rates[len(rates) // 2] / 2)
            for name, service in self.services.items():
                answer = self.client.ask(f"pace {asked} {service.grpc} {SHAPES[PACED][0]} {rate} {KEYS} "
                                         f"{2 * self.milliseconds}")
                self.paces.setdefault(asked, {}).setdefault(name, []).append(answer | {"rate": rate})


def version(program):
    if program is None:
        return "none"
    for line in first_lines(["go", "version", "-m", program]):
        words = line.split()
        if words[:2] == ["mod", "github.com/envoyproxy/ratelimit"]:
            return f"{words[2]}, built by {first_line(['go', 'version', program]).split()[-1]}"
    return "of an unknown version"


def first_lines(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")


def start(root, program, service, redis, processor, running):
    os.makedirs(os.path.join(root, "ratelimit", "config"))
    with open(os.path.join(root, "ratelimit", "config", "bench.yaml"), "w", encoding="ascii") as file:
        file.write(configuration())
    services = {}
    for name, (ours, over_redis, extra) in CONTENDERS.items():
        if ours or service:
            services[name] = Service(program if ours else service, ours, root,
                                     redis.resp if over_redis else None, extra, processor)
            running.callback(services[name].close)
    return services


def measure(session, rounds):
    say(f"    ShouldRateLimit, {rounds} rounds")
    for number in range(rounds + 1):
        session.round(number > 0)
    if "service" in session.services:
        for _ in range(rounds):
            session.half_load()


def run(quick):
    processors = sorted(os.sched_getaffinity(0))
    rounds, milliseconds = (2, 200) if quick else (7, 500)
    say("bench: building what measures weir serve --envoy-config")
    client, program = build_ours("bench/envoy/bench-envoy"), build_ours("weir")
    service, why = build_service()
    if why:
        say(f"bench: going on without envoyproxy/ratelimit: {why}")
    results = {"machine": machine(), "missing": why, "rounds": rounds, "milliseconds": milliseconds, "keys": KEYS,
               "one_processor": len(processors) == 1, "service": version(service),
               "redis": first_line([contenders.server_program(), "--version"]).split(" sha")[0]}
    # They watch the folder as long as they run.
    with tempfile.TemporaryDirectory() as root, contextlib.ExitStack() as running:
        redis = contenders.redis(processors[-1])
        running.callback(redis.close)
        services = start(root, program, service, redis, processors[0], running)
        check(services)
        session = Session(services, redis, Program([client], processors[-1]), milliseconds)
        running.callback(session.client.close)
        measure(session, rounds)
        results["memory"] = {name: (each.resident_first, each.resident()) for name, each in services.items()}
    return results | {"rows": session.rows, "paces": session.paces}
