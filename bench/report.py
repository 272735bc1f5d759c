"""What came of a run: the table that bench/run prints, and docs/benchmarks.md."""

from statistics import median

OPPONENTS = ["mutex-map", "sharded-map", "go", "rust"]
COLUMNS = ["floor", "weir"] + OPPONENTS
TITLES = {
    "floor": "floor", "weir": "weir", "mutex-map": "mutex + map, C",
    "sharded-map": "64 of them, C", "go": "x/time/rate, Go", "rust": "governor, Rust",
}
ROWS = {
    "hot": "one hot key, `now` supplied",
    "hot-clock": "one hot key, the clock read",
    "denied": "one hot key, denied",
    "peek": "one hot key, peek",
    "same2": "one hot key, 2 threads",
    "own2": "a hot key each, 2 threads",
    "many": "{keys} keys, one at a time",
    "many2": "{keys} keys, one at a time, 2 threads",
    "batch": "{keys} keys, by check_batch",
    "batch2": "{keys} keys, by check_batch, 2 threads",
}
ALGORITHMS = {
    "token-bucket": "token-bucket",
    "token-bucket-part": "token-bucket, 999983/s and 997/m",
    "leaky-bucket": "leaky-bucket",
    "fixed-window": "fixed-window",
    "calendar-window": "calendar-window",
    "sliding-window": "sliding-window",
    "sliding-log": "sliding-log",
}
# The opponents know no batch: what they have against it is one at a time.
AGAINST = {"batch": "many", "batch2": "many2"}


def rounds_of(results, row, contender):
    return results["rows"].get(row, {}).get(contender)


def ratios(upper, lower):
    return [a / b for a, b in zip(upper, lower)]


def spread(values, form):
    """Median, least and most."""
    return (f"{median(values):{form}}", f"{min(values):{form}}", f"{max(values):{form}}")


def shown(values, form=".2f"):
    middle, least, most = spread(values, form)
    return f"{middle} ({least}..{most})"


def targets(results):
    """(what, target, reached, whether) for each target."""
    rows = []

    def bound(what, limit, upper, lower, at_most=True):
        a, b = rounds_of(results, *upper), rounds_of(results, *lower)
        values = ratios(a, b)
        good = median(values) <= limit if at_most else median(values) >= limit
        sign = "at most" if at_most else "at least"
        rows.append((what, f"{sign} {limit}", shown(values), good))

    keys = f"{results['keys']:,}".replace(",", " ")
    bound("one hot key / hash and swap", 1.5, ("hot", "weir"), ("hot", "floor"))
    bound(f"{keys} keys / hash and swap", 1.25, ("many", "weir"), ("many", "floor"))
    bound(f"{keys} keys by check_batch / swaps in batches", 1.5, ("batch", "weir"),
          ("batch", "floor"))
    bound(f"2 threads / 1, {keys} keys", 1.8, ("many", "weir"), ("many2", "weir"), False)
    bound("2 threads / 1, a hot key each", 1.8, ("hot", "weir"), ("own2", "weir"), False)
    excess = results["memory"]["excess"]
    rows.append(("bytes beside 16 a client", "at most 4096", str(excess), excess <= 4096))
    for name in OPPONENTS:
        if name in results["missing"]:
            rows.append((f"ahead of {TITLES[name]}, on every row", "above 1", "not measured", None))
            continue
        leads = {}
        for row in ROWS:
            theirs = rounds_of(results, AGAINST.get(row, row), name)
            ours = rounds_of(results, row, "weir")
            if theirs is not None:
                leads[row] = median(ratios(theirs, ours))
        worst = min(leads, key=leads.get)
        rows.append((f"ahead of {TITLES[name]}, on every row", "above 1",
                     f"{leads[worst]:.2f} to {max(leads.values()):.2f}; least: {worst}",
                     leads[worst] > 1))
    return rows


def plain_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return "\n".join(lines)


def word(good):
    return {True: "reached", False: "missed", None: "-"}[good]


def title_of(results, row):
    return ROWS[row].format(keys=f"{results['keys']:,}".replace(",", " "))


def nanoseconds(results, row, contender, form=".1f"):
    values = rounds_of(results, row, contender)
    return shown(values, form) if values is not None else ""


def summary(results):
    lines = [("ns a request: median", *[TITLES[c] for c in COLUMNS], "weir / floor")]
    lines.append(("a reading of the clock", f"{median(results['rows']['clock']['floor']):.1f}",
                  "", "", "", "", "", ""))
    for row in ROWS:
        cells = []
        for contender in COLUMNS:
            values = rounds_of(results, row, contender)
            cells.append(f"{median(values):.1f}" if values is not None else "")
        floor, weir = rounds_of(results, row, "floor"), rounds_of(results, row, "weir")
        lines.append((title_of(results, row), *cells, f"{median(ratios(weir, floor)):.2f}"))
    algorithms = [("each algorithm", "hot key", "/ floor", "1 000 000 keys", "/ floor")]
    for name in ALGORITHMS:
        cells = []
        for kind in ("hot", "few"):
            weir = rounds_of(results, f"{kind}-{name}", "weir")
            floor = rounds_of(results, f"{kind}-floor", "floor")
            cells += [f"{median(weir):.1f}", f"{median(ratios(weir, floor)):.2f}"]
        algorithms.append((ALGORITHMS[name], *cells))
    goals = [("target", "", "median (least..most)", "")]
    goals += [(a, b, c, word(d)) for a, b, c, d in targets(results)]
    return "\n\n".join(["", plain_table(lines), plain_table(algorithms), plain_table(goals)])


def markdown_table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def machine_table(results):
    m = results["machine"]
    rows = [
        ("date", m["date"]),
        ("command", "`make bench`"),
        ("weir", f"{m['commit']}, libweir.a as a release build makes it (-O2, hardened)"),
        ("processor", f"{m['processor']}, {m['processors']} of them (a virtual machine's, shared)"
         if m["virtual"] else f"{m['processor']}, {m['processors']} of them"),
        ("memory", f"{m['memory'] / 2**30:.0f} GiB"),
        ("kernel, clock source", f"{m['kernel']}, {m['clock']}"),
        ("C", m["cc"]),
    ]
    if m["go"]:
        rows.append(("Go", m["go"]))
    if m["rust"]:
        rows.append(("Rust", f"governor {results['governor']}, {m['rust']}"))
    rows.append(("load average before", f"{m['load_before']:.2f}"))
    return markdown_table(("what", "which"), rows)


def rows_table(results):
    body = [("a reading of the clock", nanoseconds(results, "clock", "floor"),
             *[""] * len(COLUMNS))]
    for row in ROWS:
        floor, weir = rounds_of(results, row, "floor"), rounds_of(results, row, "weir")
        body.append((title_of(results, row),
                     *[nanoseconds(results, row, c) for c in COLUMNS],
                     shown(ratios(weir, floor))))
    return markdown_table(["ns a request", *[TITLES[c] for c in COLUMNS], "weir / floor"], body)


def algorithms_table(results):
    body = []
    for name in ALGORITHMS:
        cells = []
        for kind in ("hot", "few"):
            weir = rounds_of(results, f"{kind}-{name}", "weir")
            floor = rounds_of(results, f"{kind}-floor", "floor")
            cells += [shown(weir, ".1f"), shown(ratios(weir, floor))]
        body.append((ALGORITHMS[name], *cells))
    return markdown_table(("algorithm", "hot key, ns", "/ floor", "1 000 000 keys, ns", "/ floor"),
                          body)


def memory_table(results):
    keys = results["keys"]
    memory = results["memory"]
    body = []
    for name in COLUMNS[1:]:
        if name not in results["bytes"]:
            continue
        used = memory["table_bytes"] if name == "weir" else results["bytes"][name]
        body.append((TITLES[name], f"{used / 2**20:.0f}", f"{used / keys:.0f}"))
    head = ("who", "MiB", f"bytes for each of {keys:,} keys".replace(",", " "))
    return markdown_table(head, body)


def counter_note(results):
    """What governor does with the clock that it takes by itself."""
    values = rounds_of(results, "hot-counter", "rust")
    if values is None:
        return ""
    return (" (with its default, which reads the processor's counter and not the system's clock, "
            f"that row is {shown(values, '.1f')} ns)")


def document(results):
    goals = [(a, b, c, word(d)) for a, b, c, d in targets(results)]
    memory = results["memory"]
    missing = "".join(f"\nNot measured: {TITLES[name]}: {why}\n"
                      for name, why in results["missing"].items())
    return PAGE.format(
        machine=machine_table(results), goals=markdown_table(
            ("target", "", "median (least..most)", ""), goals),
        rows=rows_table(results), algorithms=algorithms_table(results),
        memory=memory_table(results), missing=missing, counter=counter_note(results),
        slots=memory["slots"], excess=memory["excess"], evicted=memory["evicted_live"],
        used=memory["used"], keys=f"{results['keys']:,}".replace(",", " "))


PAGE = """# Benchmarks

<!-- Written by `make bench` (bench/report.py) from the results of a run; don't edit by hand. -->

{machine}

Every number is of that one run. The contenders take turns round by round, so that what else the
machine did it did to all of them; a ratio is taken within a round. Shown are the median of the
rounds and, in brackets, the least and the most. A number is nanoseconds from the first request to
the last answer, over the number of requests of all threads.
{missing}
## Targets

{goals}

The lines "ahead of" give, for the row where weir leads least and for the one where it leads most,
the opponent's time over weir's.

## Rows

{rows}

- **floor** is the least that the work can cost: SipHash-1-3 of the key, and one 16-byte load and
  compare-and-swap in memory of the table's size, mapped as the table is. For check_batch the
  floor hashes 32 keys, fetches their slots, and then swaps them. For peek it only loads. Where
  the clock is read, so does the floor.
- A hot key is another one in each round.
- Keys are 16 bytes, as `user:00000001234`, one after another in memory, in an order of chance
  that is not the one in which they came into the tables. All contenders are asked for the same
  keys in the same order; every request is admitted, save in the row "denied".
- `now`, where it is supplied, moves on by 1024 us after 1024 requests, for all of them.
- Limits: 1000000/s burst 100000000 for a hot key, so that it is always admitted; 1/h where it is
  denied; 1000/m for many keys.
- check_batch is called with 256 requests at a time, and putting them together is within the time.
  The opponents have no such call: in those rows weir is compared with their requests one at a
  time.
- Two threads live through the whole run, as in a server; a mutex is cheaper in a process of one
  thread.

## Each algorithm

{algorithms}

Floor and weir over memory for 1 000 000 keys. A token-bucket whose tokens come at no whole number
of microseconds carries a fraction along, which costs a little more. sliding-log keeps its lists
in a side arena behind a mutex; the others are one swap in the table. calendar-window is
4000000000/month in Europe/Rome.

## Memory

A table opened with 64 MiB has {slots} slots of 16 bytes; all that opening it asked for beyond
these is {excess} bytes. (sliding-log's arena, which has a bound of its own, is left out.)

{memory}

weir's table was made for {keys} keys with room to spare, as an open hash table should be: {used}
of them were in it at the end, and {evicted} times one that still mattered had to give way to
another. The others keep every key until the memory ends, and the C maps are given their room
beforehand, as weir is.

## The opponents

- **mutex + map, C** (bench/mutex_map.c): a pthread mutex around an open-addressing map of token
  buckets (a double and a time). The hash is weir's, taken before the lock; an entry with its key
  is one cache line; the map never grows. **64 of them**: the same, split by the hash, each part
  with a mutex of its own.
- **x/time/rate, Go** (bench/go): `sync.Mutex` and `map[string]*rate.Limiter`, `AllowN(now, 1)`;
  `Allow()` where the clock is read. The map is made with its room; the garbage collector rests
  while it is measured.
- **governor, Rust** (bench/rust): `RateLimiter::keyed` over a DashMap, its default, with keys of
  `[u8; 16]`, and a clock that is one load where `now` is supplied, or governor's SystemClock
  where the clock is read{counter}; built with opt-level 3, fat LTO and one codegen unit.

What weir answers beside yes or no (remaining, retry_after, reset_after) the others were not asked
for.
"""
