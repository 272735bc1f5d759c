"""Measures weir over Redis against floors and others.

One redis-server runs on one processor, all that asks it on another. A measurement is short, and
gives decisions a second, what Redis took of its processor for each (from INFO, before and after),
and where they were made one by one, how long they took. All contenders take turns in each round."""

import hashlib
import os
import sys

import peers
from programs import BUILD, Program, build_ours, machine, say
from server import Server, encode, server_program

KEYS = 100000
DENIED_KEYS = 1000
FLOOD_TIMES = 6
MEMORY_KEYS = 1000000
KEY = peers.PLACEHOLDER
DAY_S = 86400
# Sixteen digits, as a time in microseconds has.
NUMBER = "1234567890123456"

# The least that a script can do.
SCRIPT = "return 1"
SCRIPT_ID = hashlib.sha1(SCRIPT.encode()).hexdigest()

# How many connections (or threads), and how many decisions each has in one write (or one call).
WAYS = {"1x1": (1, 1), "1x16": (1, 16), "1x64": (1, 64), "4x16": (4, 16), "4x64": (4, 64)}

# What is sent for one decision, and between which numbers the first integer of the replies lies
# where it admits: None for what decides nothing.
FLOORS = {
    "ping": ([["PING"]], None),
    "get": ([["GET", KEY]], None),
    "set": ([["SET", KEY, NUMBER]], None),
    "set-px": ([["SET", "p:" + KEY, NUMBER, "PX", DAY_S * 1000]], None),
    "script": ([["EVALSHA", SCRIPT_ID, 1, "s:" + KEY]], None),
}
USUAL = {
    "classic": ([["MULTI"], ["INCR", "c:" + KEY], ["EXPIRE", "c:" + KEY, DAY_S], ["EXEC"]],
                (1, 1000)),
    "envoy": ([["INCRBY", "e:" + KEY, 1], ["EXPIRE", "e:" + KEY, DAY_S]], (1, 1000)),
}
# weir's: what a rule is called, and its limit.
WEIR = {
    "weir": ("-", "1000/d"),
    "weir-denied": ("denied", "1/h"),
    "weir-memory": ("-", "1/h"),
    "weir-part-memory": ("-", "7/d"),
}
ALGORITHMS = {
    "token-bucket": "1000/d", "token-bucket, 997/d": "997/d",
    "leaky-bucket": "1000/d leaky-bucket", "fixed-window": "1000/d fixed-window",
    "calendar-window": "1000/month calendar-window Europe/Rome",
    "sliding-window": "1000/d sliding-window", "sliding-log": "1000/d sliding-log",
}
INTEGER = ([["SET", KEY, NUMBER, "PX", DAY_S * 1000]], None)


class Measured:
    """All rounds of all rows: for each row and contender, a list of figures."""

    def __init__(self, server, bench, milliseconds):
        self.server = server
        self.bench = bench
        self.milliseconds = milliseconds
        self.rows = {}
        self.admitting = {}

    def describe(self, name, commands, admitted):
        """Tells the C program what a contender sends."""
        low, high = admitted or (1, 0)
        wire = b"".join(encode(*command) for command in commands).hex()
        self.bench.ask(f"wire {name} {len(commands)} {low} {high} {wire}")
        self.admitting[name] = admitted is not None

    def describe_weir(self, name, rule, limit):
        self.bench.ask(f"weir {name} {rule} {limit}")
        self.admitting[name] = True

    def play(self, name, lanes, together, keys=KEYS, count=None, times=1):
        """Lets the C program make decisions, for `times` the usual time or `count` of them."""
        bounds = (1 << 40, times * self.milliseconds) if count is None else (count, 600000)
        return self.bench.ask(f"run {name} {lanes} {together} {keys} {bounds[0]} {bounds[1]}")

    def note(self, row, contender, program, ask, due):
        """Makes one measurement. `due`: whether all are to be admitted, or none, or it is nothing
        that decides (None)."""
        before = self.server.processor_us()
        client_before = program.processor_us()
        answer = ask()
        client_us = program.processor_us() - client_before
        server_us = self.server.processor_us() - before
        count = answer["count"]
        if due is not None and answer["admitted"] != (count if due else 0):
            sys.exit(f"bench: {row}: {contender} admitted {answer['admitted']} of {count}")
        self.rows.setdefault(row, {}).setdefault(contender, []).append({
            "rate": count / answer["ns"] * 1e9,
            "server_us": server_us / count,
            "client_us": client_us / count,
            "p50_us": answer["p50"] / 1000,
            "p99_us": answer["p99"] / 1000,
        })

    def row(self, row, contender, name, lanes, together):
        """One of the C program's; `name` is what it knows it by."""
        due = True if self.admitting[name] else None
        self.note(row, contender, self.bench, lambda: self.play(name, lanes, together), due)

    def denied_row(self, contender, name, lanes, together, times=1):
        """Of keys that have been denied before."""
        self.play(name, 1, 1, DENIED_KEYS, DENIED_KEYS)
        self.note("denied", contender, self.bench, lambda: self.play(
            name, lanes, together, DENIED_KEYS, times=times), False)

    def library_row(self, row, contender, program, lanes):
        self.note(row, contender, program,
                  lambda: program.ask(f"run {lanes} {KEYS} {self.milliseconds}"), True)


class Session:
    """Who takes part, and what they are asked for."""

    def __init__(self, server, programs, milliseconds, memory_keys):
        self.programs = programs
        self.bench = programs.pop("bench")
        self.server = server
        self.measured = Measured(server, self.bench, milliseconds)
        self.memory_keys = memory_keys
        self.contenders = [*FLOORS, "weir", *USUAL, *self.programs]

    def describe(self):
        self.server.control.call("SCRIPT", "LOAD", SCRIPT)
        for name, (commands, admitted) in {**FLOORS, **USUAL, "integer": INTEGER}.items():
            self.measured.describe(name, commands, admitted)
        for name, (rule, limit) in WEIR.items():
            self.measured.describe_weir(name, rule, limit)
        for number, (name, limit) in enumerate(ALGORITHMS.items()):
            self.measured.describe_weir(name.replace(" ", ""), f"a{number}", limit)
        for name, program in self.programs.items():
            _, admitted, admitted_tight = peers.PEERS[name]
            for kind, limit, key, numbers in (("", "open", KEY, admitted),
                                              ("-denied", "tight", peers.DENIED, admitted_tight),
                                              ("-memory", "tight", KEY, admitted_tight)):
                commands = peers.heard(self.server, program, limit, key)
                self.measured.describe(name + kind, commands, numbers)

    def warm_up(self):
        """All keys are there before the first round."""
        for name in [*self.contenders, *[name.replace(" ", "") for name in ALGORITHMS]]:
            self.measured.play(name, 1, 50, KEYS, KEYS)
        for program in self.programs.values():
            program.ask(f"run 16 {KEYS} 100")

    def round(self):
        for row, (lanes, together) in WAYS.items():
            for name in self.contenders:
                self.measured.row(row, name, name, lanes, together)
        for name in ("ping", "weir"):
            self.measured.row("16x1", name, name, 16, 1)
        # For so long that each key's denial in the deny cache ends once meanwhile.
        for name, lanes in (("weir", 1), ("weir-16", 16)):
            self.measured.denied_row(name, "weir-denied", lanes, 1, FLOOD_TIMES)
        for name in ALGORITHMS:
            self.measured.row("algorithms", name, name.replace(" ", ""), 1, 64)
        for name, program in self.programs.items():
            self.measured.denied_row(name, name + "-denied", 1, 64)
            self.measured.library_row("one", name, program, 1)
            self.measured.library_row("sixteen", name, program, 16)

    def memory(self):
        """Bytes of used_memory for each of many keys, each contender over an empty Redis."""
        found = {}
        for name in ["integer", "weir-memory", "weir-part-memory",
                     *[name + "-memory" for name in self.programs]]:
            self.server.control.call("FLUSHALL", "SYNC")
            before = self.server.used_memory()
            self.measured.play(name, 1, 64, self.memory_keys, self.memory_keys)
            keys = self.server.control.call("DBSIZE")
            if keys != self.memory_keys:
                sys.exit(f"bench: {name} left {keys} keys, due: {self.memory_keys}")
            found[name.removesuffix("-memory")] = (self.server.used_memory() - before) / keys
        return found


def start(server, processor):
    """Programs by name, ours as "bench"; and who doesn't take part, and why."""
    bench = [build_ours("bench/redis/bench-redis"), str(server.port)]
    programs, missing = peers.start(server, processor)
    for name, why in missing.items():
        say(f"bench: going on without {name}: {why}")
    return programs | {"bench": Program(bench, processor)}, missing


def measure(server, processor, quick):
    rounds, milliseconds, memory_keys = (2, 50, 100000) if quick else (7, 200, MEMORY_KEYS)
    results = {"machine": machine(), "rounds": rounds, "milliseconds": milliseconds,
               "server": server.version(), "versions": peers.versions(), "keys": KEYS,
               "denied_keys": DENIED_KEYS, "memory_keys": memory_keys}
    say("bench: building what measures Redis")
    programs, results["missing"] = start(server, processor)
    session = Session(server, programs, milliseconds, memory_keys)
    session.describe()
    session.warm_up()
    say(f"    over Redis, {rounds} rounds")
    for _ in range(rounds):
        session.round()
    results["rows"] = session.measured.rows
    say(f"    memory in Redis, {memory_keys} keys")
    results["memory"] = session.memory()
    for program in (session.bench, *session.programs.values()):
        program.close()
    return results


def run(quick):
    """The results of the whole part, or why there are none."""
    if server_program() is None:
        return {"why": "there is no redis-server here (Debian's package redis-tools)"}
    processors = sorted(os.sched_getaffinity(0))
    server = Server(os.path.join(BUILD, "redis", "server"), processors[0])
    try:
        results = measure(server, processors[-1], quick)
    finally:
        server.close()
    return results | {"one_processor": len(processors) == 1}
