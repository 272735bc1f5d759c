#!/usr/bin/env python3
"""cli_check - `weir check` with the real program: decisions, exit codes, output, standard input."""

import os
import random
import subprocess
import sys
import time

from cli_support import expect, main

WINDOW = "5/h fixed-window"


def test_all_allowed_is_0(weir):
    done = weir.run("check", "user123", "--limit", WINDOW)
    expect((done.code, done.out, done.err), (0, "allowed  user123  4 of 5 left\n", ""))


def test_any_denied_is_1(weir):
    done = weir.run("check", "user123", "--limit", WINDOW, "--repeat", "6")
    expect(done.code, 1)
    expect([line.split()[0] for line in done.out.splitlines()], ["allowed"] * 5 + ["denied"])
    expect(done.out.splitlines()[5], "denied   user123  retry in 1 h")


def test_one_denied_of_several_keys_is_1(weir):
    store = weir.store()
    expect(weir.run("check", "a", "--limit", "1/h", "--store", store).code, 0)
    done = weir.run("check", "b", "a", "c", "--limit", "1/h", "--store", store)
    expect(done.code, 1)
    expect([line.split()[:2] for line in done.out.splitlines()],
           [["allowed", "b"], ["denied", "a"], ["allowed", "c"]])


def test_error_is_2_and_on_stderr(weir):
    done = weir.run("check", "a", "--limit", "5")
    expect((done.code, done.out), (2, ""))
    assert done.err.startswith("weir check: "), done.err


def test_repeat_asks_in_rounds(weir):
    done = weir.run("check", "a", "b", "--limit", WINDOW, "--repeat", "2")
    expect([line.split()[1] for line in done.out.splitlines()], ["a", "b", "a", "b"])


def test_every_waits_and_a_window_passes(weir):
    start = time.monotonic()
    done = weir.run("check", "a", "--limit", "1/s fixed-window", "--repeat", "9", "--every", "250ms")
    assert time.monotonic() - start >= 2
    verdicts = [line.split()[0] for line in done.out.splitlines()]
    # Asked for 2 s: more than one window was opened, and something denied in between.
    expect((done.code, len(verdicts), verdicts[0]), (1, 9, "allowed"))
    assert "denied" in verdicts and verdicts.count("allowed") >= 2, verdicts


def test_every_shows_each_round_at_once(weir):
    process = weir.start("check", "a", "--limit", WINDOW, "--repeat", "2", "--every", "1h",
                         stdout=subprocess.PIPE)
    expect(process.stdout.readline(), b"allowed  a  4 of 5 left\n")
    process.kill()
    process.wait()


def test_memory_ends_with_the_process(weir):
    for _ in range(2):
        expect(weir.run("check", "a", "--limit", "1/h").code, 0)


def test_shm_outlives_the_process(weir):
    codes = [weir.run("check", "a", "--limit", "1/h", "--store", weir.store()).code for _ in range(2)]
    expect(codes, [0, 1])


def test_names_keep_budgets_apart(weir):
    def check(*more):
        return weir.run("check", "a", "--limit", "1/h", "--store", weir.store(), *more).code
    expect([check("--name", "login"), check("--name", "upload"), check("--name", "login")], [0, 0, 1])


def test_cost(weir):
    done = weir.run("check", "a", "--limit", WINDOW, "--cost", "2", "--repeat", "3")
    expect([line.split()[0] for line in done.out.splitlines()], ["allowed", "allowed", "denied"])


def test_cost_that_never_fits(weir):
    done = weir.run("check", "a", "--limit", WINDOW, "--cost", "6")
    expect((done.code, done.out), (1, "denied   a  never: it costs 6, the limit holds 5\n"))
    done = weir.run("check", "a", "--limit", WINDOW, "--cost", "6", "--json")
    expect(done.objects()[0]["retry_after_us"], None)


def test_cost_of_all_that_64_bits_hold(weir):
    done = weir.run("check", "a", "--limit", WINDOW, "--cost", str(2**64 - 1))
    expect(done.out, f"denied   a  never: it costs {2**64 - 1}, the limit holds 5\n")
    expect(weir.run("check", "a", "--limit", WINDOW, "--cost", str(2**64)).code, 2)


def test_cost_0_takes_nothing(weir):
    done = weir.run("check", "a", "--limit", "1/h", "--cost", "0", "--repeat", "3")
    expect((done.code, done.out), (0, "allowed  a  1 of 1 left\n" * 3))


def test_peek_takes_nothing(weir):
    store = weir.store()
    weir.run("check", "a", "--limit", "2/h fixed-window", "--store", store)
    for _ in range(3):
        done = weir.run("check", "a", "--limit", "2/h fixed-window", "--store", store, "--peek")
        expect((done.code, done.out), (0, "allowed  a  1 of 2 left\n"))


def test_peek_makes_no_store(weir):
    done = weir.run("check", "a", "--limit", "1/h", "--store", weir.store(), "--peek")
    expect(done.code, 2)
    expect(os.listdir(weir.folder), [])


def test_peek_of_standard_input(weir):
    done = weir.run("check", "--limit", "1/h", "--peek", stdin=b"a\na\n")
    expect((done.code, done.out), (0, "allowed a\nallowed a\n"))


def test_block_is_told(weir):
    done = weir.run("check", "a", "--limit", "1/m block 15m", "--repeat", "2")
    expect(done.out.splitlines()[1], "denied   a  blocked, retry in 15 min")
    done = weir.run("check", "a", "--limit", "1/m block 15m", "--repeat", "2", "--json")
    expect([o["blocked"] for o in done.objects()], [False, True])


def test_leaky_bucket_tells_the_delay(weir):
    done = weir.run("check", "a", "--limit", "2/h leaky-bucket", "--repeat", "2")
    expect(done.out.splitlines()[0], "allowed  a  1 of 2 left")
    assert done.out.splitlines()[1].startswith("allowed  a  after "), done.out


def test_json_has_every_field(weir):
    done = weir.run("check", "user123", "--limit", WINDOW, "--json")
    expect(done.objects(), [{"key": "user123", "allowed": True, "blocked": False, "limit": 5, "remaining": 4,
                             "retry_after_us": 0, "reset_after_us": 3600000000, "delay_us": 0,
                             "source": "memory"}])
    done = weir.run("check", "user123", "--limit", WINDOW, "--store", weir.store(), "--json")
    expect(done.objects()[0]["source"], "shm")


def test_json_of_any_key(weir):
    """Every byte but the newline, alone and in odd company, comes back from the JSON."""
    keys = [bytes([b]) for b in range(256) if b != 10]
    keys += ["grün".encode(), "𝄞".encode(), b"\xf0\x9d\x84", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80",
             b"\xe2\x82", b"a\xffb\"\\", b""]
    done = weir.run("check", "--limit", "100/h", "--json", stdin=b"\n".join(keys) + b"\n")
    objects = done.objects()
    expect(len(objects), len(keys))
    for key, found in zip(keys, objects):
        try:
            expect((found["key"], "key_hex" in found), (key.decode("utf-8"), False))
        except UnicodeDecodeError:
            expect(bytes.fromhex(found["key_hex"]), key)
            # One U+FFFD for each byte that is no part of a character.
            bad = len(key) - len(key.decode("utf-8", "ignore").encode())
            expect(found["key"].count("\ufffd"), bad, repr(key))


def test_quiet(weir):
    done = weir.run("check", "a", "--limit", "1/h", "--repeat", "2", "-q")
    expect((done.code, done.out, done.err), (1, "", ""))


def test_only(weir):
    lines = b"a\nb\na\nc\nb\n"
    expect(weir.run("check", "--limit", "1/h", "--only", "allowed", stdin=lines).out, "a\nb\nc\n")
    expect(weir.run("check", "--limit", "1/h", "--only=denied", stdin=lines).out, "a\nb\n")
    done = weir.run("check", "--limit", "1/h", "--only=denied", "--json", stdin=lines)
    expect([o["key"] for o in done.objects()], ["a", "b"])
    expect(weir.run("check", "a", "b", "a", "--limit", "1/h", "--only", "denied").out, "a\n")


def test_options_anywhere_and_in_every_form(weir):
    forms = [["check", "--limit=5/h", "a"], ["check", "a", "--limit", "5/h"], ["check", "-l", "5/h", "a"],
             ["check", "-l5/h", "--", "a"], ["check", "a", "-jl", "5/h"]]
    for form in forms:
        expect(weir.run(*form).code, 0, form)
    expect(weir.run("check", "--limit", "5/h", "--", "--json").out, "allowed  --json  4 of 5 left\n")


# ---- Standard input ----


def test_stdin_with_and_without_dash(weir):
    for more in ([], ["-"]):
        done = weir.run("check", "--limit", "1/h", *more, stdin=b"a\nb\na\n")
        expect((done.code, done.out), (1, "allowed a\nallowed b\ndenied a\n"))


def test_stdin_is_bytes(weir):
    """CRLF is not special, an empty line is the empty key, NUL is a byte, the last newline may lack."""
    lines = b"a\r\na\n\n\n\xff\x00z\n \x01\nlast"
    done = weir.run("check", "--limit", "1/h", stdin=lines)
    expect(done.bytes, b"allowed a\r\nallowed a\nallowed \ndenied \nallowed \xff\x00z\nallowed  \x01\nallowed last\n")


def test_stdin_empty(weir):
    done = weir.run("check", "--limit", "1/h", stdin=b"")
    expect((done.code, done.bytes, done.err), (0, b"", ""))


def test_stdin_longest_key_and_past_it(weir):
    lines = b"a\n" + b"k" * 4096 + b"\n" + b"k" * 4097 + b"\nb\n" + b"x" * 3_000_000 + b"\nc\n" + b"y" * 5000
    done = weir.run("check", "--limit", "1/h", stdin=lines)
    expect(done.bytes, b"allowed a\nallowed " + b"k" * 4096 + b"\nallowed b\nallowed c\n")
    expect(done.code, 2)
    expect(done.err, "weir check: line 3 is longer than a key can be, 4096 bytes: left out\n"
                     "weir check: 3 lines were left out as too long\n")


def test_operand_longest_key_and_past_it(weir):
    expect(weir.run("check", "k" * 4096, "--limit", "1/h").code, 0)
    done = weir.run("check", "k" * 4097, "--limit", "1/h")
    expect((done.code, done.out), (2, ""))


def test_stdin_repeat(weir):
    done = weir.run("check", "--limit", "2/h", "--repeat", "3", stdin=b"a\nb\n")
    expect(done.out, "allowed a\nallowed a\ndenied a\nallowed b\nallowed b\ndenied b\n")


def test_stdin_of_many_lines_against_a_model(weir):
    """Lines of every length around the blocks and batches that it reads in, each decided and in order."""
    numbers = random.Random(1)
    keys = [b"%d" % numbers.randrange(20000) + b"-" * numbers.randrange(40) * (i % 7 == 0)
            for i in range(200000)]
    done = weir.run("check", "--limit", "3/d fixed-window", stdin=b"\n".join(keys))
    seen = {}
    expected = []
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
        expected.append((b"allowed " if seen[key] <= 3 else b"denied ") + key)
    assert done.bytes.split(b"\n")[:-1] == expected
    expect(done.code, 1)


def test_stdin_two_million_lines(weir):
    lines = b"".join(b"user%d\n" % (i * 7919 % 100000) for i in range(2_000_000))
    with open(weir.file("keys"), "wb") as keys:
        keys.write(lines)
    with open(weir.file("keys"), "rb") as keys:
        done = weir.start("check", "--limit", "3/d", stdin=keys,
                          stdout=subprocess.PIPE)
        out = done.stdout.read()
        done.wait()
    # 100,000 keys come twenty times each, and three pass. The table has room for many more, so that none
    # of its sets is ever full.
    expect(out.count(b"allowed "), 300_000)
    expect(out.count(b"denied "), 1_700_000)
    expect(done.returncode, 1)


def test_stdin_is_answered_as_it_comes(weir):
    process = weir.start("check", "--limit", "1/h", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for verdict in (b"allowed", b"denied"):
        process.stdin.write(b"a\nhalf of a line")
        process.stdin.flush()
        expect(process.stdout.readline(), verdict + b" a\n")
        process.stdin.write(b" and its rest\n")
        process.stdin.flush()
        expect(process.stdout.readline(), verdict + b" half of a line and its rest\n")
    process.stdin.close()
    expect(process.wait(), 1)
    process.stdout.close()


def test_stdin_with_sliding_log(weir):
    done = weir.run("check", "--limit", "2/h sliding-log", stdin=b"a\na\nb\na\n")
    expect(done.out, "allowed a\nallowed a\nallowed b\ndenied a\n")


def test_stdin_that_cannot_be_read(weir):
    folder = os.open(weir.folder, os.O_RDONLY)
    process = weir.start("check", "--limit", "1/h", stdin=folder, stderr=subprocess.PIPE)
    expect(process.stderr.read(), b"weir check: can't read standard input: Is a directory\n")
    expect(process.wait(), 2)
    process.stderr.close()
    os.close(folder)


# ---- Output that does not arrive ----


def test_full_disk(weir):
    for arguments in (["check", "a", "--limit", "1/h"], ["limit", "5/s"], ["demo", "--fast"], ["--version"],
                      ["check", "--help"], ["--help"]):
        with open("/dev/full", "wb") as full:
            process = weir.start(*arguments, stdout=full, stderr=subprocess.PIPE)
            error = process.stderr.read().decode()
            process.stderr.close()
        expect(process.wait(), 2, arguments)
        assert "can't write to standard output: No space left on device" in error, error


def test_reader_that_went_away_is_2_and_silent(weir):
    keys = b"a\n" * 200000
    with open(weir.file("keys"), "wb") as file:
        file.write(keys)
    for arguments in (["check", "--limit", "1/h"],
                      ["check", "a", "--limit", "1/h", "--repeat", "1000000000"]):
        with open(weir.file("keys"), "rb") as file:
            process = weir.start(*arguments, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.readline()
            process.stdout.close()
            expect(process.stderr.read(), b"")
            expect(process.wait(), 2)
            process.stderr.close()


def test_closed_standard_output(weir):
    """What is opened next must not become the standard output: the store would be written over."""
    store = weir.store()
    expect(weir.run("check", "a", "--limit", "3/h", "--store", store).code, 0)
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", weir.path, "check", "a", "--limit", "3/h",
                           "--store", store], capture_output=True, env=weir.environment({}), check=False)
    expect(done.returncode, 2)
    assert b"can't write to standard output" in done.stderr, done.stderr
    expect(weir.run("check", "a", "--limit", "3/h", "--store", store).code, 0)


# ---- Terminals ----


def test_colours_by_option_and_environment(weir):
    def coloured(*more):
        return "\033[3" in weir.run("check", "a", "--limit", "1/h", *more).out
    expect([coloured(), coloured("--color=always"), coloured("--color", "never")], [False, True, False])
    check = ["check", "a", "--limit", "1/h"]
    assert "\033[32mallowed\033[0m" in weir.on_terminal(*check)[1]
    assert "\033[" not in weir.on_terminal(*check, env={"NO_COLOR": "1"})[1]
    assert "\033[" in weir.on_terminal(*check, env={"NO_COLOR": ""})[1]
    assert "\033[" in weir.on_terminal(*check, "--color=always", env={"NO_COLOR": "1"})[1]
    assert "\033[" not in weir.on_terminal(*check, "--color=never")[1]
    assert "\033[" not in weir.on_terminal(*check, env={"TERM": "dumb"})[1]


def test_terminal_is_not_steered_by_a_key(weir):
    _, shown = weir.on_terminal("check", "\033[2Jx\x7f\x07grün\u009b", b"\xff\x80", "--limit", "1/h", "--color=never")
    expect(shown, "allowed  \\x1B[2Jx\\x7F\\x07grün\\xC2\\x9B  0 of 1 left\nallowed  \\xFF\\x80  0 of 1 left\n")
    _, shown = weir.on_terminal("check", "grün", "--limit", "1/h", "--color=never", env={"LC_ALL": "C"})
    expect(shown, "allowed  gr\\xC3\\xBCn  0 of 1 left\n")


def test_interrupt_ends_it(weir):
    def interrupt(process, shown):
        if b"left" in shown:
            process.send_signal(2)
    code, shown = weir.on_terminal("check", "a", "--limit", "1/h", "--repeat", "2", "--every", "1h",
                                   on_output=interrupt)
    expect(code, -2)
    assert shown.count("\033[0m") == shown.count("\033[32m"), shown


if __name__ == "__main__":
    sys.exit(main(globals()))
