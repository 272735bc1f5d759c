"""What came of a run against envoyproxy/ratelimit: what bench/run prints, and the last part of the page."""

from statistics import median

from report import markdown_table, plain_table, ratios, shown, word
from serve_report import GOALS_HEAD, figures, goal, over

MARK = "\n<!-- What follows is written by `make bench` and `bench/run --envoy`. -->\n\n"

TITLES = {"table": "weir, in memory", "redis": "weir, over Redis", "service": "envoyproxy/ratelimit, over Redis",
          "service-bare": "the same, DISABLE_STATS=true"}
ASKED = {"one": "one descriptor", "ten": "ten descriptors"}
SHAPES = {"10x32": "10 connections, 32 calls at a time", "50x1": "50 connections, one call at a time",
          "1x1": "one connection, one call at a time"}
# What is to be reached with all the load that a connection is meant for.
TARGETS = {"table": 10.0, "redis": 3.0}
TARGET_SHAPE = "10x32"


def p99_over(results, asked, name):
    """envoyproxy/ratelimit's p99 over another's."""
    rounds = results["paces"].get(asked)
    if rounds is None:
        return None
    return ratios([each["p99"] for each in rounds["service"]], [each["p99"] for each in rounds[name]])


def goals(results):
    rows = []
    for name, bound in TARGETS.items():
        for asked, title in ASKED.items():
            rows.append(goal(f"calls a second, {TITLES[name]} / envoyproxy/ratelimit, {title}", bound,
                             over(results, f"{asked}-{TARGET_SHAPE}", name, "service")))
    for name in TARGETS:
        for asked, title in ASKED.items():
            values = p99_over(results, asked, name)
            rows.append((f"p99 at half its load, envoyproxy/ratelimit / {TITLES[name]}, {title}", "above 1",
                         shown(values) if values else "not measured",
                         word(median(values) > 1 if values else None)))
    return rows


ROW_HEAD = ("who", "thousand/s", "/ envoyproxy/ratelimit", "server, us a call", "its us / these", "Redis, us a call")


def row_table(results, row):
    rows = []
    for name in results["rows"][row]:
        ratio = over(results, row, name, "service")
        share = over(results, row, "service", name, "server_us")
        rows.append((TITLES[name], shown([each / 1000 for each in figures(results, row, name, "rate")], ".1f"),
                     shown(ratio) if ratio else "", shown(figures(results, row, name, "server_us")),
                     shown(share) if share else "",
                     "" if name == "table" else shown(figures(results, row, name, "redis_us"))))
    return rows


PACE_HEAD = ("what", "who", "calls/s", "p50, us", "p99, us", "p99.9, us")


def pace_rows(results):
    return [(ASKED[asked], TITLES[name], str(rounds[0]["rate"]),
             *[shown([each[which] for each in rounds], ".0f") for which in ("p50", "p99", "p999")])
            for asked, names in results["paces"].items() for name, rounds in names.items()]


MEMORY_HEAD = ("who", "at the start, MiB", "after the last call, MiB")


def memory_rows(results):
    return [(TITLES[name], f"{first / 1048576:.1f}", f"{last / 1048576:.1f}")
            for name, (first, last) in results["memory"].items()]


def titles(results):
    return {f"{asked}-{shape}": f"{ASKED[asked].capitalize()}, {SHAPES[shape]}"
            for asked in ASKED for shape in SHAPES if f"{asked}-{shape}" in results["rows"]}


def summary(results):
    parts = [plain_table([(title, *ROW_HEAD[1:]), *row_table(results, row)])
             for row, title in titles(results).items()]
    parts += [plain_table([PACE_HEAD, *pace_rows(results)]), plain_table([MEMORY_HEAD, *memory_rows(results)]),
              plain_table([GOALS_HEAD, *goals(results)])]
    return "\n\n".join(["", *parts])


def document(results):
    m = results["machine"]
    facts = markdown_table(("what", "which"), [
        ("date", m["date"]), ("command", "`make bench`, or `bench/run --envoy` for this part"), ("weir", m["commit"]),
        ("envoyproxy/ratelimit", results["service"]), ("Redis", results["redis"]),
        ("processor", f"{m['processor']}, {m['processors']} of them"
                      + (" (a virtual machine's, shared)" if m["virtual"] else "")),
        ("kernel", m["kernel"]), ("load average before", f"{m['load_before']:.2f}")])
    missing = f"Not measured: envoyproxy/ratelimit: {results['missing']}.\n\n" if results["missing"] else ""
    if results["one_processor"]:
        missing += "This machine has one processor, which servers and client shared.\n\n"
    tables = "\n\n".join(f"### {title}\n\n" + markdown_table(ROW_HEAD, row_table(results, row))
                         for row, title in titles(results).items())
    return PAGE.format(facts=facts, missing=missing, goals=markdown_table(GOALS_HEAD, goals(results)), tables=tables,
                       paces=markdown_table(PACE_HEAD, pace_rows(results)),
                       memory=markdown_table(MEMORY_HEAD, memory_rows(results)), rounds=results["rounds"],
                       milliseconds=results["milliseconds"], keys=results["keys"])


PAGE = """## Envoy's rate limit service

{facts}

`weir serve --envoy-config` and envoyproxy/ratelimit read the same file, and each has one processor
(GOMAXPROCS=1 for the latter). The client (`bench/envoy/client.c`) has another, with the redis-server
that all but the first use. All take turns in each of {rounds} rounds, for {milliseconds} ms each time.
Ratios are taken within a round; shown are the median of the rounds and, in brackets, the least and the
most. "server" is what the process took of its processor, user and system, over the calls it answered:
where the client or Redis can do no more, this tells the servers apart and the rate does not.

{missing}### Targets of the service

{goals}

{tables}

- Every descriptor has one entry, a rule of its own (`unit: hour`), and one of {keys} values; every call
  is within its limits, and every answer is read: grpc-status 0, and overall_code OK. Before that each of
  them was asked 20 times over `/json` for what has 10, and allowed these.
- envoyproxy/ratelimit has its defaults, with USE_STATSD=false, so that it counts and sends what it
  counted to nobody; the last line of each table is without its counters. weir counts.
- envoyproxy/ratelimit has no state of its own: weir in memory is beside it over Redis.

### Half of its load

Latencies at half of the rate that envoyproxy/ratelimit reached over 10 connections, for all of them. A
latency is taken from when the call was due.

{paces}

### Memory of the service

Resident, and without what Redis has: weir in memory holds the state of 11 keys for each of the {keys}
values.

{memory}
"""
