"""What came of a run over Redis: the tables that bench/run prints, and the end of the page."""

from statistics import median

from report import markdown_table, plain_table, ratios, shown, word

MARK = "\n<!-- What follows is written by `make bench` and `bench/run --redis`. -->\n\n"

FLOORS = ["ping", "get", "set", "set-px", "script"]
USUAL = ["classic", "envoy"]
LIBRARIES = ["redis_rate", "rate-limiter-flexible", "limits"]
CONTENDERS = [*FLOORS, "weir", *USUAL, *LIBRARIES]
TITLES = {
    "ping": "PING", "get": "GET", "set": "SET", "set-px": "SET ... PX",
    "script": "EVALSHA of `return 1`", "weir": "weir",
    "classic": "MULTI, INCR, EXPIRE, EXEC", "envoy": "INCRBY, EXPIRE",
    "redis_rate": "redis_rate, Go", "rate-limiter-flexible": "rate-limiter-flexible, JavaScript",
    "limits": "limits, Python",
}
WAYS = {
    "1x1": "one by one", "1x16": "16 in one write", "1x64": "64 in one write",
    "4x16": "4 connections, 16 each", "4x64": "4 connections, 64 each",
}
MEMORY_TITLES = {
    "integer": "an integer of 16 digits with a TTL", "weir": "weir, token-bucket 1/h",
    "weir-part": "weir, token-bucket 7/d", **{name: TITLES[name] for name in LIBRARIES},
}

# What is to be reached.
OF_PING = 0.30
THREADS = 8
LONE = 1.25
FLOOD_RATE = 1000000
BYTES = 161


def figures(results, row, contender, figure):
    """One figure of all rounds, or None."""
    rounds = results["rows"].get(row, {}).get(contender)
    return None if rounds is None else [values[figure] for values in rounds]


def cell(values, form=".2f", scale=1):
    return "" if values is None else shown([value / scale for value in values], form)


def present(results, names, row="1x1"):
    return [name for name in names if name in results["rows"].get(row, {})]


def number(value):
    return f"{value:,}".replace(",", " ")


# ---- Targets ----

class Targets:
    """(what, target, reached, whether) for each target."""

    def __init__(self, results):
        self.results = results
        self.rows = []

    def add(self, what, sign, bound, values, form=".2f", shown_bound=None):
        target = f"{sign} {bound if shown_bound is None else shown_bound}"
        if values is None:
            self.rows.append((what, target, "not measured", None))
            return
        middle = median(values)
        good = {"at least": middle >= bound, "at most": middle <= bound,
                "above": middle > bound}[sign]
        self.rows.append((what, target, shown(values, form), good))

    def over(self, upper, lower):
        """The ratio of two figures, each (row, contender, figure), round by round."""
        a, b = figures(self.results, *upper), figures(self.results, *lower)
        return None if a is None or b is None else ratios(a, b)

    def ahead(self, what, rows):
        """One line for several ratios: the least of them decides."""
        medians = {row: median(values) for row, values in rows.items() if values is not None}
        if not medians:
            self.rows.append((what, "above 1", "not measured", None))
            return
        least = min(medians, key=medians.get)
        text = f"{medians[least]:.2f} to {max(medians.values()):.2f}; least: {least}"
        self.rows.append((what, "above 1", text, medians[least] > 1))


def targets(results):
    goals = Targets(results)
    for way in ("1x16", "1x64", "4x16", "4x64"):
        goals.add(f"token-bucket, share of PING's rate on Redis's processor, {WAYS[way]}",
                  "at least", OF_PING,
                  goals.over((way, "ping", "server_us"), (way, "weir", "server_us")))
    for name in LIBRARIES:
        if name in results["missing"]:
            goals.rows.append((f"less of Redis than {TITLES[name]}", "above 1", "not measured",
                               None))
            continue
        goals.ahead(f"less of Redis than {TITLES[name]}, its requests played again", {
            WAYS[way]: goals.over((way, name, "server_us"), (way, "weir", "server_us"))
            for way in WAYS})
    for name in LIBRARIES:
        if name in results["missing"]:
            goals.rows.append((f"more decisions than {TITLES[name]}", "above 1", "not measured",
                               None))
            continue
        goals.ahead(f"more decisions than {TITLES[name]}", {
            "one by one": goals.over(("1x1", "weir", "rate"), ("one", name, "rate")),
            "16 at once": goals.over(("16x1", "weir", "rate"), ("sixteen", name, "rate"))})
    goals.add("16 threads on one handle / one thread", "at least", THREADS,
              goals.over(("16x1", "weir", "rate"), ("1x1", "weir", "rate")))
    goals.add("one lone decision's p50 / a lone PING's", "at most", LONE,
              goals.over(("1x1", "weir", "p50_us"), ("1x1", "ping", "p50_us")))
    goals.add("a flood of denied keys, decisions a second of one thread", "at least", FLOOD_RATE,
              figures(results, "denied", "weir", "rate"), ".0f", number(FLOOD_RATE))
    memory = results["memory"].get("weir")
    goals.add("bytes of used_memory a client, token-bucket", "at most", BYTES,
              None if memory is None else [memory], ".0f")
    return goals.rows


# ---- Tables ----

def ways_rows(results, figure, form, scale=1):
    body = []
    for name in present(results, CONTENDERS):
        body.append((TITLES[name], *[cell(figures(results, way, name, figure), form, scale)
                                     for way in WAYS]))
    return body


def share_rows(results):
    body = []
    for name in present(results, CONTENDERS):
        cells = []
        for way in WAYS:
            ping = figures(results, way, "ping", "server_us")
            cells.append(cell(ratios(ping, figures(results, way, name, "server_us"))))
        body.append((TITLES[name], *cells))
    return body


def lone_rows(results):
    body = []
    for name in present(results, CONTENDERS):
        ping = figures(results, "1x1", "ping", "p50_us")
        p50 = figures(results, "1x1", name, "p50_us")
        body.append((TITLES[name], cell(p50, ".1f"), cell(ratios(p50, ping)),
                     cell(figures(results, "1x1", name, "p99_us"), ".1f")))
    return body


def library_rows(results):
    body = []
    for name in ["ping", "weir", *LIBRARIES]:
        rows = ("one", "sixteen") if name in LIBRARIES else ("1x1", "16x1")
        if figures(results, rows[0], name, "rate") is None:
            continue
        cells = []
        for row in rows:
            cells += [cell(figures(results, row, name, "rate"), ".1f", 1000),
                      cell(figures(results, row, name, "server_us"), ".1f"),
                      cell(figures(results, row, name, "client_us"), ".1f")]
        cells.insert(3, cell(figures(results, rows[0], name, "p50_us"), ".0f"))
        body.append((TITLES[name], *cells))
    return body


def denied_rows(results):
    titles = {"weir": "weir, one by one, one thread", "weir-16": "weir, 16 threads",
              **{name: f"{TITLES[name]}, 64 in one write" for name in LIBRARIES}}
    return [(titles[name], cell(figures(results, "denied", name, "rate"), ".1f", 1000),
             cell(figures(results, "denied", name, "server_us"), ".3f"))
            for name in present(results, titles, "denied")]


def algorithm_rows(results):
    body = []
    for name in results["rows"].get("algorithms", {}):
        mine = figures(results, "algorithms", name, "server_us")
        ping = figures(results, "1x64", "ping", "server_us")
        body.append((name, cell(mine), cell(ratios(ping, mine)),
                     cell(figures(results, "algorithms", name, "rate"), ".0f", 1000)))
    return body


def memory_rows(results):
    return [(MEMORY_TITLES[name], f"{size:.1f}") for name, size in results["memory"].items()]


WAYS_HEAD = ["", *WAYS.values()]
LIBRARY_HEAD = ["", "one by one, thousand/s", "Redis, us", "client, us", "p50, us",
                "16 at once, thousand/s", "Redis, us", "client, us"]
DENIED_HEAD = ["", "thousand/s", "Redis, us a decision"]
ALGORITHM_HEAD = ["algorithm", "Redis, us a decision", "share of PING's rate", "thousand/s"]
MEMORY_HEAD = ["", "bytes a key"]
LONE_HEAD = ["", "p50, us", "/ PING", "p99, us"]
GOALS_HEAD = ("target", "", "median (least..most)", "")


def goals_rows(results):
    return [(a, b, c, word(d)) for a, b, c, d in targets(results)]


def summary(results):
    if "why" in results:
        return f"\nNot measured over Redis: {results['why']}"
    parts = [
        plain_table([("Redis's processor, us a decision", *WAYS_HEAD[1:]),
                     *ways_rows(results, "server_us", ".2f")]),
        plain_table([("thousand decisions a second", *WAYS_HEAD[1:]),
                     *ways_rows(results, "rate", ".1f", 1000)]),
        plain_table([("alone", *LONE_HEAD[1:]), *lone_rows(results)]),
        plain_table([("the libraries themselves", *LIBRARY_HEAD[1:]), *library_rows(results)]),
        plain_table([("denied", *DENIED_HEAD[1:]), *denied_rows(results)]),
        plain_table([("memory", *MEMORY_HEAD[1:]), *memory_rows(results)]),
        plain_table([("target", "", "median (least..most)", ""), *goals_rows(results)]),
    ]
    if "algorithms" in results["rows"]:
        parts.insert(5, plain_table([tuple(ALGORITHM_HEAD), *algorithm_rows(results)]))
    return "\n\n".join(["", *parts])


# ---- The page ----

def machine_table(results):
    m = results["machine"]
    rows = [
        ("date", m["date"]),
        ("command", "`make bench`, or `bench/run --redis` for this part"),
        ("weir", m["commit"]),
        ("processor", f"{m['processor']}, {m['processors']} of them"
         + (" (a virtual machine's, shared)" if m["virtual"] else "")),
        ("kernel", m["kernel"]),
        ("server", results["server"]),
        *[(TITLES[name], version) for name, version in results["versions"].items()
          if name not in results["missing"]],
        ("load average before", f"{m['load_before']:.2f}"),
    ]
    return markdown_table(("what", "which"), rows)


def document(results):
    if "why" in results:
        return f"## Over Redis\n\nNot measured: {results['why']}.\n"
    missing = "".join(f"Not measured: {TITLES[name]}: {why}.\n\n"
                      for name, why in results["missing"].items())
    if results["one_processor"]:
        missing += "This machine has one processor, which Redis and its clients shared.\n\n"
    algorithms = ""
    if "algorithms" in results["rows"]:
        algorithms = ALGORITHMS.format(
            table=markdown_table(ALGORITHM_HEAD, algorithm_rows(results)))
    return PAGE.format(
        machine=machine_table(results), missing=missing,
        goals=markdown_table(GOALS_HEAD, goals_rows(results)),
        server=markdown_table(WAYS_HEAD, ways_rows(results, "server_us", ".2f")),
        shares=markdown_table(WAYS_HEAD, share_rows(results)),
        rates=markdown_table(WAYS_HEAD, ways_rows(results, "rate", ".1f", 1000)),
        lone=markdown_table(LONE_HEAD, lone_rows(results)),
        libraries=markdown_table(LIBRARY_HEAD, library_rows(results)),
        denied=markdown_table(DENIED_HEAD, denied_rows(results)), algorithms=algorithms,
        memory=markdown_table(MEMORY_HEAD, memory_rows(results)), keys=number(results["keys"]),
        denied_keys=number(results["denied_keys"]), rounds=results["rounds"],
        milliseconds=results["milliseconds"], memory_keys=number(results["memory_keys"]))


ALGORITHMS = """### Each algorithm over Redis

{table}

By weir_check_batch, 64 at a time, one thread.

"""

PAGE = """## Over Redis

{machine}

A redis-server of its own runs on one processor, and all that asks it on another. The contenders
take turns in each of {rounds} rounds, for {milliseconds} ms each time. What counts is what a
decision takes of Redis's processor, from `INFO cpu` before and after, as the client's language has
no part in that. Ratios are taken within a round; shown are the median of the rounds and, in
brackets, the least and the most.

{missing}### Targets over Redis

{goals}

### What a decision takes of Redis's processor

Microseconds a decision (of PING, GET and SET: a command):

{server}

PING's time over it, at the same pipelining: the share of PING's rate that one processor of Redis
comes to.

{shares}

- The rows but weir's are sent by one small program in C (`bench/redis/wire.c`), which has the
  requests ready and reads replies no further than to the first integer. It waits for all the
  replies to a write before it writes again on that connection; over one connection Redis goes to
  sleep in between, and its waking is in the figure, while four connections keep it busy.
- **weir**: one handle, token-bucket of 1000/d; one by one with weir_check, else weir_check_batch
  with 16 or 64 requests, from one thread or four.
- **MULTI, INCR, EXPIRE, EXEC** is the classic counter; **INCRBY, EXPIRE** is what
  envoyproxy/ratelimit sends for a descriptor. Both re-arm their window with each request.
- The libraries' rows play again what MONITOR showed each of them sending for one decision, key
  names and all.
- Keys are {keys} of 16 bytes, as `user:00000001234`, in an order of chance, all there before the
  first round, and every request is admitted: 1000 a day for all of them. redis_rate and weir's
  token-bucket spread the thousand over the day; the others count in a window.

### Decisions a second over Redis

Thousands:

{rates}

### One alone

{lone}

### The libraries themselves

Each in its own language, as its documentation shows it, one by one and with 16 at once: goroutines
with a connection each, promises on one connection (with ioredis's enableAutoPipelining), threads;
for PING 16 connections, for weir 16 threads on one handle. "client" is what a decision takes of the
client's processor.

{libraries}

### Denied over Redis

{denied_keys} keys whose limit of 1/h is spent. weir answers them from its deny cache, and asks
Redis again once a second. rate-limiter-flexible has such a cache for those who ask for it
(inMemoryBlockOnConsumed); it is off here, as it is by default.

{denied}

{algorithms}### Memory in Redis

used_memory for each of {memory_keys} keys with names of 16 bytes (to which each library adds its
prefix), over an empty Redis. Each key has been asked for once, and has a TTL.

{memory}
"""
