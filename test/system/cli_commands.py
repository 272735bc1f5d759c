#!/usr/bin/env python3
"""cli_commands - the other commands with the real program: limit, reset, refund, stats, bench, demo."""

import os
import re
import sys
import time

from cli_support import expect, main


# ---- weir limit ----


def test_limit_in_words(weir):
    done = weir.run("limit", "5/10s fixed-window")
    expect(done.code, 0)
    expect(done.out.splitlines()[:5],
           ["5/10s fixed-window", "",
            "  allows   5 in a window of 10 s, which opens at a key's first request",
            "  at most  9 in any 10 s: 4 as a window ends, 5 as the next begins",
            "  denied   takes nothing, and is told when to come back"])


def test_limit_of_every_algorithm(weir):
    allows = {
        "1/2s burst 5": "1 every 2 s, up to 5 at once",
        "7/m": "7 a minute, evenly, up to 7 at once",
        "20/s leaky-bucket burst 50": "1 every 50 ms, with a queue of 50 that wait for their turn",
        "100/m fixed-window": "100 in a window of 1 min, which opens at a key's first request",
        "10000/month calendar-window Europe/Rome": "10,000 in each month of the calendar (Europe/Rome)",
        "100/15m calendar-window epoch": "100 in each window of 15 min, one after another from 1970 (UTC) on",
        "100/m sliding-window": "100 in any minute, by an estimate from the counts of two windows",
        "5/15m sliding-log block 15m": "exactly 5 in any 15 min",
    }
    for text, words in allows.items():
        done = weir.run("limit", text)
        expect((done.code, done.out.splitlines()[2]), (0, "  allows   " + words))
    assert "blocked for 15 min" in weir.run("limit", "5/15m sliding-log block 15m").out
    assert "leaves evenly spaced" in weir.run("limit", "20/s leaky-bucket").out


def test_limit_needs_no_quotes(weir):
    expect(weir.run("limit", "5/10s", "fixed-window", "block", "1m").bytes,
           weir.run("limit", "5/10s fixed-window block 1m").bytes)


def test_limit_json(weir):
    done = weir.run("limit", "5/10s fixed-window", "--json")
    expect(done.objects(), [{
        "limit": "5/10s fixed-window", "algorithm": "fixed-window", "count": 5, "period_us": 10000000,
        "burst": None, "block_us": None, "zone": None, "worst_case": 9,
        "allows": "5 in a window of 10 s, which opens at a key's first request",
        "at_most": "9 in any 10 s: 4 as a window ends, 5 as the next begins",
        "denied": "takes nothing, and is told when to come back"}])
    found = weir.run("limit", "10000/month calendar-window Europe/Rome block 1h", "--json").objects()[0]
    expect((found["zone"], found["period_us"], found["block_us"]), ("Europe/Rome", None, 3600000000))
    expect(weir.run("limit", "100/m", "--json").objects()[0]["burst"], 100)
    found = weir.run("limit", "100/15m calendar-window epoch", "--json").objects()[0]
    expect((found["zone"], found["period_us"], found["worst_case"]), (None, 900000000, 200))


def test_limit_picture_is_what_was_decided(weir):
    """5/10s fixed-window: six at once, then one every 1.6 s. Of each window the first five pass."""
    out = weir.run("limit", "5/10s fixed-window", env={"LC_ALL": "C"}).out
    rows = [line for line in out.splitlines() if "|" in line or "+--" in line]
    up = [row.split("|")[1] for row in rows[:5]]
    down = rows[6].split("|")[1]
    expect([row[0] for row in up], ["#"] * 5)
    expect(down[0], "x")
    admitted, denied, window, taken = [0] * 60, [0] * 60, 0.0, 5
    for k in range(1, 38):
        at = 1.6 * k
        if at >= window + 10:
            window, taken = at, 0
        (admitted if taken < 5 else denied)[int(at)] += 1
        taken += taken < 5
    expect([c == "#" for c in up[4][1:]], [n > 0 for n in admitted[1:]])
    expect([c == "x" for c in down[1:]], [n > 0 for n in denied[1:]])


def test_limit_picture_fits_80_columns(weir):
    for text in ("1/s", "100/m burst 20", "1000000/s", "4294967295/s", "1/year calendar-window",
                 "10000/month calendar-window Europe/Rome", "7/7d calendar-window epoch", "3/w", "1/366d", "1/us",
                 "1000/ms leaky-bucket burst 1",
                 "1/s block 366d", "10000/d sliding-log", "2097151/h sliding-window", "1/s burst 31622400"):
        done = weir.run("limit", text)
        expect((done.code, done.err), (0, ""), text)
        pictured = done.out.split(":\n\n", 1)[1]
        widest = max(len(line.rstrip()) for line in pictured.splitlines())
        assert widest <= 80, (text, widest)
        assert "█" in pictured or "▁" in pictured, text
        plain = weir.run("limit", text, env={"LC_ALL": "C"})
        assert plain.bytes.isascii(), text


def test_limit_that_is_none(weir):
    done = weir.run("limit", "5/10s fixed-windw")
    expect((done.code, done.out), (2, ""))
    lines = done.err.splitlines()
    assert "did you mean 'fixed-window'" in lines[0], done.err
    expect(lines[1:], ["    5/10s fixed-windw", "          ^^^^^^^^^^^"])


def test_limit_is_pointed_at_whatever_its_bytes(weir):
    done = weir.run("limit", "5/10s für\tx\033[2J")
    assert "\033" not in done.err, done.err
    text, carets = done.err.splitlines()[-2:]
    expect((text, carets), ("    5/10s für?x?[2J", "          ^^^"))
    expect(weir.run("limit", "x" * 100000).code, 2)
    expect(weir.run("limit", b"5/10s \xff\xfe").code, 2)


# ---- weir reset, refund, stats ----


def used_up(weir):
    store = weir.store()
    expect(weir.run("check", "a", "--limit", "2/h fixed-window", "--store", store, "-n", "3").code, 1)
    return store


def test_reset_forgets(weir):
    store = used_up(weir)
    done = weir.run("reset", "a", "--limit", "2/h fixed-window", "--store", store)
    expect((done.code, done.out), (0, "reset  a\n"))
    expect(weir.run("check", "a", "--limit", "2/h fixed-window", "--store", store).out, "allowed  a  1 of 2 left\n")
    done = weir.run("reset", "a", "b", "--limit", "2/h fixed-window", "--store", store, "--json")
    expect(done.objects(), [{"key": "a", "reset": True}, {"key": "b", "reset": True}])
    expect(weir.run("reset", "a", "--limit", "2/h", "--store", store, "-q").out, "")


def test_refund_gives_back_never_above_full(weir):
    store = used_up(weir)
    done = weir.run("refund", "a", "--limit", "2/h fixed-window", "--store", store)
    expect((done.code, done.out), (0, "refunded  a  1 of 2 left\n"))
    done = weir.run("refund", "a", "--limit", "2/h fixed-window", "--store", store, "--cost", "99", "--json")
    expect(done.objects()[0]["remaining"], 2)
    expect(weir.run("refund", "a", "--limit", "2/h fixed-window", "--store", store, "--cost", "0").code, 2)


def test_stats(weir):
    store = used_up(weir)
    weir.run("check", "b", "--limit", "1/us", "--store", store)
    time.sleep(0.001)
    done = weir.run("stats", "--store", store)
    expect(done.code, 0)
    assert re.match(r"memory   \d\d(\.\d)? KiB, room for \d,\d\d\d clients\n", done.out), done.out
    assert "clients  1 with something used now, 1 as if never used" in done.out, done.out
    found = weir.run("stats", "--store", store, "--json").objects()[0]
    expect((found["store"], found["used"], found["live"]), (store, 2, 1))
    assert 16 * found["slots"] <= found["bytes"] <= 16 * found["slots"] + 4096, found
    expect(set(found), {"store", "bytes", "slots", "used", "live", "evicted_idle", "evicted_live", "log_bytes",
                        "log_used", "log_evicted"})


def test_looking_makes_no_store(weir):
    for arguments in (["stats"], ["reset", "a", "--limit", "1/s"], ["refund", "a", "--limit", "1/s"]):
        done = weir.run(*arguments, "--store", weir.store("with%20blank"))
        expect((done.code, done.out), (2, ""), arguments)
        assert f"there is none at {weir.file('with blank')}" in done.err, done.err
    expect(os.listdir(weir.folder), [])


def test_escaped_path_is_found(weir):
    store = weir.store("with%20blank%3F")
    expect(weir.run("check", "a", "--limit", "1/s", "--store", store).code, 0)
    expect(os.listdir(weir.folder), ["with blank?"])
    expect(weir.run("stats", "--store", store).code, 0)


def test_store_that_is_none_of_ours_is_left_alone(weir):
    with open(weir.file("table"), "wb") as file:
        file.write(b"not a table" * 1000)
    for arguments in (["stats"], ["check", "a", "--limit", "1/s"]):
        done = weir.run(*arguments, "--store", f"shm:{weir.file('table')}")
        expect((done.code, done.out), (2, ""))
        assert done.err.startswith(f"weir {arguments[0]}: store: "), done.err
    with open(weir.file("table"), "rb") as file:
        assert file.read() == b"not a table" * 1000


# ---- weir bench ----


def test_bench(weir):
    found = weir.run("bench", "--seconds", "1", "--keys", "1000", "--json").objects()
    expect([row["row"] for row in found],
           ["one key", "many keys, one at a time", "many keys, in batches of 1024", "one key, reading the clock"])
    for row in found:
        assert row["decisions"] > 0 and row["ns_per_decision"] > 0, row
        product = row["ns_per_decision"] * row["decisions_per_second"]
        assert 0.95e9 < product < 1.05e9, row
    # With a supplied clock each is later than the last, and none is denied.
    for row in found[:3]:
        expect(row["admitted"], row["decisions"])


def test_bench_with_limit_and_store(weir):
    done = weir.run("bench", "--keys", "1", "--limit", "1/h", "--store", weir.store())
    expect(done.code, 0)
    assert done.out.startswith("1/h, 1 keys, shm:"), done.out
    expect(len(done.out.splitlines()), 7)


# ---- weir demo ----

CLASSIC = ["allowed"] * 5 + ["denied"] * 2 + ["allowed"]


def verdicts(text):
    return re.findall(r"request \d   (allowed|denied)", re.sub(r"\033\[\d*m", "", text))


def test_demo_fast(weir):
    done = weir.run("demo", "--fast")
    expect((done.code, done.err), (0, ""))
    expect(verdicts(done.out), CLASSIC)
    assert "   5.0 s   request 6   denied   user123  retry in 5 s\n" in done.out, done.out
    assert "   6.0 s   request 7   denied   user123  retry in 4 s\n" in done.out, done.out
    assert "  10.0 s   request 8   allowed  user123  4 of 5 left\n" in done.out, done.out


def test_demo_picture(weir):
    """The strips of the algorithms whose decisions can be told by hand: █ every half second is a request."""
    lines = weir.run("demo", "--fast").out.splitlines()
    rows = {line[1:16].rstrip(): line for line in lines if re.fullmatch(r" .{76} [ \d]\d", line)}
    expect(len(rows), 6)
    def strip(name):
        return rows[name][17:77]
    expect(strip("fixed-window"), "█ █ █ █ █ · ·       █████···············█████···············")
    expect(strip("sliding-log"), "█ █ █ █ █ · ·       █·█·█·█·█···········█·█·█·█·█···········")
    expect(strip("calendar-window"), "█ █ █ █ █ · ·       ··········█████·························")
    expect(strip("token-bucket"), strip("leaky-bucket"))
    for name in ("token-bucket", "fixed-window", "calendar-window", "sliding-window", "sliding-log"):
        expect(int(rows[name][77:]), strip(name).count("█"), name)
    assert max(map(len, lines)) <= 80


def test_demo_in_ascii(weir):
    assert weir.run("demo", "--fast", env={"LC_ALL": "C"}).bytes.isascii()
    assert not weir.run("demo", "--fast").bytes.isascii()


def test_demo_in_real_time_on_a_terminal(weir):
    start = time.monotonic()
    code, shown = weir.on_terminal("demo")
    took = time.monotonic() - start
    expect(code, 0)
    expect(verdicts(shown), CLASSIC)
    assert took >= 10, took
    assert "\033[32mallowed\033[0m" in shown and "\033[31mdenied\033[0m" in shown, shown
    assert "waiting 4 s until the window is over" in re.sub(r"\033\[\d*m", "", shown), shown
    expect(len(re.findall(r"\033\[(?!0m)\d+m", shown)), shown.count("\033[0m"))


def test_demo_can_be_interrupted(weir):
    def interrupt(process, shown):
        if b"request 2" in shown:
            process.send_signal(2)
    code, shown = weir.on_terminal("demo", on_output=interrupt)
    expect(code, -2)
    expect(len(re.findall(r"\033\[(?!0m)\d+m", shown)), shown.count("\033[0m"))


if __name__ == "__main__":
    sys.exit(main(globals()))
