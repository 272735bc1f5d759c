"""What came of a run against `weir serve`: what bench/run prints, and the last part of the page."""

from statistics import median

from report import markdown_table, plain_table, ratios, shown, word

MARK = "\n<!-- What follows is written by `make bench` and `bench/run --serve`. -->\n\n"

TITLES = {
    "ping": "redis-server, PING", "incr": "redis-server, INCR", "weir": "weir, CL.THROTTLE",
    "throttlecrab": "throttlecrab, THROTTLE", "redis-cell": "redis-cell, CL.THROTTLE",
    "weir-as-throttlecrab": "weir, THROTTLE", "check": "weir, POST /v1/check",
    "forward": "weir, GET /v1/forward-auth", "nginx": "nginx, the same POST, `return 200`",
    "nginx-get": "nginx, the same GET, `return 200`",
}
ROWS = {"P1": "RESP, one at a time", "P16": "RESP, 16 in one write", "P16-many": "RESP, 16 in one write, {keys} keys",
        "http": "HTTP"}
# What each is divided by: the floor of its row.
FLOORS = {"check": "nginx", "forward": "nginx-get", "nginx": "nginx", "nginx-get": "nginx-get"}
RESP_ROWS = ("P1", "P16", "P16-many")
IDLE = {"resp": "RESP", "http": "HTTP", "tls": "RESP over TLS"}
IDLE_MOST = 8192


def figures(results, row, name, figure):
    rounds = results["rows"].get(row, {}).get(name)
    return None if rounds is None else [each[figure] for each in rounds]


def over(results, row, a, b, figure="rate"):
    upper, lower = figures(results, row, a, figure), figures(results, row, b, figure)
    return None if upper is None or lower is None else ratios(upper, lower)


def goal(what, bound, values):
    if values is None:
        return (what, f"at least {bound}", "not measured", word(None))
    return (what, f"at least {bound}", shown(values), word(median(values) >= bound))


def goals(results):
    rows = []
    for row in ("P1", "P16"):
        rows.append(goal(f"CL.THROTTLE / PING, {ROWS[row]}", 1.0, over(results, row, "weir", "ping")))
    for row in ("P1", "P16"):
        for name, ours in (("throttlecrab", "weir-as-throttlecrab"), ("redis-cell", "weir")):
            rows.append(goal(f"{TITLES[ours]} / {TITLES[name]}, {ROWS[row]}", 1.0, over(results, row, ours, name)))
    for ours in ("check", "forward"):
        rows.append(goal(f"{TITLES[ours]} / nginx", 0.8, over(results, "http", ours, FLOORS[ours])))
    for kind, title in IDLE.items():
        used = results["idle"][kind]
        rows.append((f"bytes of an idle connection, {title}", f"at most {IDLE_MOST}", f"{used:.0f}",
                     word(used <= IDLE_MOST)))
    return rows


GOALS_HEAD = ("target", "", "median (least..most)", "")


def row_table(results, row):
    rows = []
    for name in results["rows"][row]:
        floor = FLOORS.get(name, "ping")
        rate = figures(results, row, name, "rate")
        ratio = over(results, row, name, floor)
        share = over(results, row, floor, name, "server_us")
        rows.append((TITLES[name], shown([each / 1000 for each in rate], ".1f"), shown(ratio) if ratio else "",
                     shown(figures(results, row, name, "server_us")), shown(share) if share else "",
                     "" if name in ("ping", "incr", "nginx", "nginx-get")
                     else f"{median(figures(results, row, name, 'allowed')):.2f}"))
    return rows


def row_head(row):
    floor = "nginx" if row == "http" else "PING"
    return ("who", "thousand/s", f"/ {floor}", "server, us a request", f"{floor}'s us / its", "allowed")


def pace_rows(results, during):
    rows = []
    for name, rounds in results["paces"].items():
        if name.startswith("while: ") == during:
            rows.append((name.removeprefix("while: "), str(rounds[0]["rate"]),
                         *[shown([each[which] for each in rounds], ".0f") for which in ("p50", "p99", "p999")]))
    return rows


PACE_HEAD = ("what", "requests/s", "p50, us", "p99, us", "p99.9, us")


def redis_rows(results):
    return [(f"{together} in one write", shown([each["rate"] / 1000 for each in rounds["weir"]], ".1f"),
             shown([each["server_us"] for each in rounds["weir"]]))
            for together, rounds in ((row.removeprefix("redis-P"), results["rows"][row])
                                     for row in results["rows"] if row.startswith("redis-P"))]


def summary(results):
    parts = []
    for row in ROWS:
        if row in results["rows"]:
            head = (ROWS[row].format(keys=results["keys"]), *row_head(row)[1:])
            parts.append(plain_table([head, *row_table(results, row)]))
    parts.append(plain_table([PACE_HEAD, *pace_rows(results, False), *pace_rows(results, True)]))
    parts.append(plain_table([GOALS_HEAD, *goals(results)]))
    return "\n\n".join(["", *parts])


def document(results):
    m = results["machine"]
    machine = markdown_table(("what", "which"), [
        ("date", m["date"]), ("command", "`make bench`, or `bench/run --serve` for this part"), ("weir", m["commit"]),
        ("processor", f"{m['processor']}, {m['processors']} of them" + (" (a virtual machine's, shared)"
                                                                       if m["virtual"] else "")),
        ("kernel", m["kernel"]), ("others", results["versions"]),
        ("load average before", f"{m['load_before']:.2f}")])
    missing = "".join(f"Not measured: {name}: {why}.\n\n" for name, why in results["missing"].items())
    if results["one_processor"]:
        missing += "This machine has one processor, which servers and client shared.\n\n"
    tables = "\n\n".join(f"### {ROWS[row].format(keys=results['keys'])}\n\n"
                         + markdown_table(row_head(row), row_table(results, row))
                         for row in ROWS if row in results["rows"])
    return PAGE.format(
        machine=machine, missing=missing, goals=markdown_table(GOALS_HEAD, goals(results)), tables=tables,
        paces=markdown_table(PACE_HEAD, pace_rows(results, False)),
        during=markdown_table(PACE_HEAD, pace_rows(results, True)),
        redis=markdown_table(("requests", "thousand/s", "weir's processor, us a request"), redis_rows(results)),
        idle=markdown_table(("door", "bytes"), [(title, f"{results['idle'][kind]:.0f}")
                                                for kind, title in IDLE.items()]),
        idle_count=results["idle"]["count"], lanes=results["lanes"], rounds=results["rounds"], keys=results["keys"],
        hit_keys=results["hit_keys"], milliseconds=results["milliseconds"], rules=results["rules"],
        codecs=results["codecs"])


PAGE = """## weir serve

{machine}

Each server has one worker, on one processor; the client (`bench/serve/client.c`, requests ready but for
their keys) has another. All take turns in each of {rounds} rounds, for {milliseconds} ms each time, over
{lanes} connections, each of which asks again when it has its answers. Ratios are taken within a round;
shown are the median of the rounds and, in brackets, the least and the most. "server" is what the
process took of its processor, user and system, over the requests it answered: what else the machine
does weighs less on it than on the rate.

{missing}### Targets of the server

{goals}

{tables}

- The limit is 600 a minute with a burst of 100, the same for all. Over {hit_keys} keys it is hit, as
  "allowed" shows; over {keys} it is not.
- A server that is slow has used up less of the keys' budgets when its turn is over, and so
  denies less.
- throttlecrab has one thread (TOKIO_WORKER_THREADS=1).
- nginx answers without a body, and reads none; weir parses JSON, decides, and writes what it
  decided.

### Half load

At half of the rate that was reached one at a time, over {lanes} connections. A latency is taken from
when the request was due, so that a server that stops for a moment is charged for all that was due
meanwhile.

{paces}

### While a peer misbehaves

CL.THROTTLE of others, 5000 a second, while one client does this without end from the client's own
processor. "A client that only computes" is what that costs the client by itself.

{during}

### Over Redis

CL.THROTTLE over a redis-server, which shares weir's processor:

{redis}

### Idle connections

Resident memory of the server for each of {idle_count} connections that asked once and then say nothing:

{idle}

### Matching, by how many rules there are

```
{rules}
```

### The readers

```
{codecs}
```
"""
