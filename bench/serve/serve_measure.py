"""Measures `weir serve` against redis-server, throttlecrab, redis-cell and nginx.

Each server has one worker and a processor to itself while it is asked; the client has another. All
are up at once, and take turns in each round. A row is requests a second in a closed loop, and what
the server took of its processor for each; `pace` rows are latencies at half of the rate that weir
reached, from when each request was due."""

import json
import os
import resource
import socket
import ssl
import tempfile
import threading

import contenders
from programs import Program, build_ours, first_line, machine, must, say
from server import encode

KEYS = 100000
LANES = 50
KEY = "user:00000000000"
THROTTLE = ("CL.THROTTLE", KEY, 99, 600, 60, 1)
BODY = json.dumps({"attributes": {"user": KEY}})
CHECK = (f"POST /v1/check HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\n"
         f"Content-Length: {len(BODY)}\r\n\r\n{BODY}")
FORWARD = f"GET /v1/forward-auth HTTP/1.1\r\nHost: weir\r\nUser: {KEY}\r\n\r\n"

# name: protocol, what says that it was allowed ("-": nothing is decided), what is sent.
REQUESTS = {
    "ping": ("resp", "-", encode("PING")),
    "incr": ("resp", "-", encode("INCR", KEY)),
    "weir": ("resp", "0", encode(*THROTTLE)),
    "redis-cell": ("resp", "0", encode(*THROTTLE)),
    "throttlecrab": ("resp", "1", encode("THROTTLE", KEY, 100, 600, 60, 1)),
    "weir-as-throttlecrab": ("resp", "1", encode("THROTTLE", KEY, 100, 600, 60, 1)),
    "check": ("http", '"allowed":true', CHECK.encode()),
    "forward": ("http", "-", FORWARD.encode()),
    "nginx": ("http", "-", CHECK.encode()),
    "nginx-get": ("http", "-", FORWARD.encode()),
}
# Who answers what, and in which rows.
RESP = {"ping": "redis", "incr": "redis", "weir": "weir", "throttlecrab": "throttlecrab", "redis-cell": "redis-cell",
        "weir-as-throttlecrab": "weir"}
HTTP = {"check": "weir", "forward": "weir", "nginx": "nginx", "nginx-get": "nginx"}
# 100000 keys with a burst of 100 would all be allowed for long; of 50, most are denied before long.
HIT_KEYS = 50
ROWS = {"P1": (RESP, 1, HIT_KEYS), "P16": (RESP, 16, HIT_KEYS), "P16-many": (RESP, 16, KEYS),
        "http": (HTTP, 1, HIT_KEYS)}


def processor_us(pid):
    """All that a process has taken of a processor, of its threads too."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1000


class Session:
    def __init__(self, servers, client, milliseconds):
        self.servers, self.client, self.milliseconds = servers, client, milliseconds
        self.rows, self.paces = {}, {}

    def describe(self):
        for name, (protocol, allowed, data) in REQUESTS.items():
            self.client.ask(f"ask {name} {protocol} {allowed} {data.hex()}")

    def port(self, server, name):
        return server.http if REQUESTS[name][0] == "http" else server.resp

    def measure(self, row, name, server, together, keys, note=True):
        before = processor_us(server.pid)
        answer = self.client.ask(f"run {name} {self.port(server, name)} {LANES} {together} {keys} {self.milliseconds}")
        us = processor_us(server.pid) - before
        if note:
            self.rows.setdefault(row, {}).setdefault(name, []).append(
                {"rate": answer["count"] / answer["ns"] * 1e9, "server_us": us / answer["count"],
                 "allowed": answer["allowed"] / answer["count"]})

    def round(self, note):
        for row, (who, together, keys) in ROWS.items():
            for name, server in who.items():
                if server in self.servers:
                    self.measure(row, name, self.servers[server], together, keys, note)

    def pace(self, row, name, server, rate, note=True, milliseconds=None):
        answer = self.client.ask(f"pace {name} {self.port(server, name)} {LANES} {int(rate)} {KEYS} "
                                 f"{milliseconds or self.milliseconds}")
        if note:
            self.paces.setdefault(row, []).append(answer | {"rate": int(rate)})

    def half_load(self):
        for row, name, where in (("CL.THROTTLE", "weir", "P1"), ("POST /v1/check", "check", "http"),
                                 ("GET /v1/forward-auth", "forward", "http")):
            rates = sorted(each["rate"] for each in self.rows[where][name])
            self.pace(row, name, self.servers["weir"], rates[len(rates) // 2] / 2)
        if "redis" in self.servers:
            rates = sorted(each["rate"] for each in self.rows["P1"]["ping"])
            self.pace("redis-server's PING", "ping", self.servers["redis"], rates[len(rates) // 2] / 2)


# ---- Memory of idle connections ----


def idle_bytes(program, processor, certificates, kind, count):
    """What a connection that has asked once and then says nothing takes of the server's memory."""
    tls = f", tls: {{certificate: {certificates.server}, key: {certificates.server_key}}}" if kind == "tls" else ""
    server = contenders.Weir(program, processor, "listen:",
                             f"  - {{resp: '127.0.0.1:{{resp}}'{tls}}}", "  - {http: '127.0.0.1:{http}'}",
                             *contenders.POLICY)
    context = ssl.create_default_context(cafile=certificates.authority)
    data = REQUESTS["check"][2] if kind == "http" else encode("PING")

    def one():
        peer = socket.create_connection(("127.0.0.1", server.http if kind == "http" else server.resp))
        if kind == "tls":
            peer = context.wrap_socket(peer, server_hostname="127.0.0.1")
        peer.sendall(data)
        peer.recv(65536)
        return peer
    for peer in [one() for _ in range(100)]:
        peer.close()
    before = server.server.resident()
    peers = [one() for _ in range(count)]
    used = (server.server.resident() - before) / count
    for peer in peers:
        peer.close()
    server.close()
    return used


def idle(program, processor, quick):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1000 if quick else 10000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
    with tempfile.TemporaryDirectory() as folder:
        certificates = contenders.rig.Certificates(folder)
        return {"count": count} | {kind: idle_bytes(program, processor, certificates, kind, count)
                                   for kind in ("resp", "http", "tls")}


# ---- Others' latency while one misbehaves ----


class Nuisance:
    """Threads that do something over and over, until it is enough."""

    def __init__(self, act):
        self.over = threading.Event()
        self.act = act

    def run(self):
        while not self.over.is_set():
            try:
                self.act()
            except OSError:
                pass

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def nuisances(server):
    """name: what one does to the server, over and over."""
    held = [connected(server.resp) for _ in range(1000)]
    deaf = []

    def reads_nothing():
        if len(deaf) < 20:
            deaf.append(connected(server.resp))
            deaf[-1].setblocking(False)
        for peer in deaf:
            try:
                peer.send(encode("COMMAND") * 64)
            except BlockingIOError:
                pass

    def once(port, data):
        with connected(port) as peer:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass

    def slow():
        for peer in held[:50]:
            peer.send(b"*")
        threading.Event().wait(0.05)
    return {
        "nobody else": lambda: threading.Event().wait(0.05),
        "a client that only computes": lambda: sum(range(10000)),
        "1000 peers, 50 of them slow": slow,
        "20 peers that ask and read nothing": reads_nothing,
        "garbage, a connection each": lambda: once(server.http, os.urandom(2000)),
        "heads of 1 MiB": lambda: once(server.http, b"GET / HTTP/1.1\r\nA: " + b"x" * (1 << 20)),
        "connections that come and go": lambda: connected(server.http).close(),
        "a pipeline of 10 000 at a time": lambda: once(server.resp, encode("PING") * 10000),
        "scrapes of /metrics": lambda: once(server.http, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"),
    }, held


def disturbed(session, program, processor, rounds):
    server = contenders.Weir(program, processor)
    acts, held = nuisances(server)
    for _ in range(rounds):
        for name, act in acts.items():
            with Nuisance(act):
                session.pace("while: " + name, "weir", server, 5000)
    for peer in held:
        peer.close()
    server.close()


# ---- The whole ----


def start(program, processor):
    servers, missing = {"weir": contenders.Weir(program, processor)}, {}
    if contenders.server_program() is None:
        missing["redis"] = "there is no redis-server here (Debian's package redis-tools)"
    else:
        servers["redis"] = contenders.redis(processor)
        servers["redis-cell"], missing["redis-cell"] = contenders.redis_cell(processor)
    servers["throttlecrab"], missing["throttlecrab"] = contenders.throttlecrab(processor)
    servers["nginx"], missing["nginx"] = contenders.nginx(processor)
    for name, why in missing.items():
        if why:
            say(f"bench: going on without {name}: {why}")
    return {name: server for name, server in servers.items() if server}, {n: w for n, w in missing.items() if w}


def over_redis(session, processors, milliseconds):
    """The same over Redis: weir and Redis share a processor."""
    redis = contenders.redis(processors[0])
    weir = contenders.Weir(session.program, processors[0],
                           f"store: redis://127.0.0.1:{redis.resp}?on_error=deny",
                           *contenders.POLICY)
    for _ in range(3):
        for together in (1, 16):
            session.measure(f"redis-P{together}", "weir", weir, together, KEYS)
    weir.close()
    redis.close()


def versions(servers):
    redis = first_line([contenders.server_program() or "redis-server", "--version"]) if "redis" in servers else ""
    return ", ".join(filter(None, [redis.split(" sha")[0], f"throttlecrab-server {contenders.THROTTLECRAB}",
                                   f"redis-cell {contenders.REDIS_CELL}, crates.io's newest", "nginx of Debian 12"]))


def run(quick):
    processors = sorted(os.sched_getaffinity(0))
    rounds, milliseconds = (2, 100) if quick else (7, 400)
    say("bench: building what measures weir serve")
    client_program = build_ours("bench/serve/bench-serve")
    program = build_ours("weir")
    servers, missing = start(program, processors[0])
    session = Session(servers, Program([client_program], processors[-1]), milliseconds)
    session.program = program
    session.describe()
    results = {"machine": machine(), "missing": missing, "rounds": rounds, "milliseconds": milliseconds,
               "versions": versions(servers), "one_processor": len(processors) == 1, "lanes": LANES,
               "keys": KEYS, "hit_keys": HIT_KEYS}
    say(f"    weir serve, {rounds} rounds")
    for number in range(rounds + 1):
        session.round(number > 0)
    for _ in range(rounds):
        session.half_load()
    if "redis" in servers:
        over_redis(session, processors, milliseconds)
    for server in servers.values():
        server.close()
    say("    others' latency while a peer misbehaves, and idle connections")
    disturbed(session, program, processors[0], 2 if quick else 5)
    session.client.close()
    results["rules"] = must([build_ours("bench/bench_rules")]).strip()
    results["codecs"] = must([build_ours("bench/bench-codecs")]).strip()
    results["idle"] = idle(program, processors[0], quick)
    return results | {"rows": session.rows, "paces": session.paces}
