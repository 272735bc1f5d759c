#!/usr/bin/env python3
"""cli_redis - the program over real servers: every command with a redis:// store, weir store, and what is said, and what
never is, where Redis does not decide."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402
from cli_support import expect, main  # noqa: E402

SECRET = "s3cret/with:odd@bytes"
LIMIT = ("--limit", "3/h fixed-window")


def refused():
    """A port that nobody listens on."""
    port = rig.Port()
    number = port.number
    port.release()
    return number


# ---- Deciding ----


def test_every_command_shares_one_budget(weir):
    with rig.Redis() as redis:
        store = ("--store", redis.url)
        done = weir.run("check", "a", *LIMIT, *store, "--repeat", "2")
        expect((done.code, done.out, done.err),
               (0, "allowed  a  2 of 3 left\nallowed  a  1 of 3 left\n", ""))
        done = weir.run("check", *LIMIT, *store, stdin=b"a\na\nb\n")
        expect((done.code, done.out), (1, "allowed a\ndenied a\nallowed b\n"))
        expect(weir.run("check", "a", *LIMIT, *store, "--peek", "-q").code, 1)
        done = weir.run("refund", "a", *LIMIT, *store, "--cost", "2", "--json")
        expect((done.code, done.objects()[0]["remaining"]), (0, 2))
        expect(weir.run("reset", "a", *LIMIT, *store).out, "reset  a\n")
        done = weir.run("check", "a", *LIMIT, *store, "--json")
        found = done.objects()[0]
        expect((found["remaining"], found["source"], "failure" in found), (2, "redis", False))
        expect(sorted(redis.command("KEYS", "*")), ["weir:{a}:fixed-window/1h", "weir:{b}:fixed-window/1h"])


def test_a_denial_is_kept_for_a_moment(weir):
    with rig.Redis() as redis:
        done = weir.run("check", "a", *LIMIT, "--store", redis.url, "--repeat", "5", "--json")
        expect([found["source"] for found in done.objects()], ["redis"] * 4 + ["deny-cache"])
        done = weir.run("check", "a", *LIMIT, "--store", redis.url + "?deny_cache=0", "--repeat", "2", "--json")
        expect([found["source"] for found in done.objects()], ["redis"] * 2)


# ---- Without Redis ----


def test_it_says_who_decided_and_why(weir):
    url = f"redis://127.0.0.1:{refused()}"
    for on_error, code, source in (("local", 0, "local"), ("allow", 0, "on-error"), ("deny", 1, "on-error")):
        done = weir.run("check", "a", *LIMIT, "--store", f"{url}?on_error={on_error}", "--json", "--repeat", "2")
        expect(done.code, code, on_error)
        for found in done.objects():
            expect((found["source"], found["allowed"]), (source, on_error != "deny"))
            assert found["failure"] in ("unreachable", "circuit-open"), found
        lines = done.err.splitlines()
        assert 1 <= len(lines) <= 2 and "decided, not Redis" in lines[0] and "refused" in lines[0], done.err


def test_a_reset_that_redis_did_not_make_is_an_error(weir):
    url = f"redis://127.0.0.1:{refused()}"
    done = weir.run("reset", "a", *LIMIT, "--store", url)
    expect((done.code, done.out), (2, ""))
    assert "could not be asked" in done.err and "refused" in done.err, done.err


def test_a_value_of_somebody_else_is_named(weir):
    with rig.Redis() as redis:
        redis.command("SET", "weir:{a}:fixed-window/1h", "hello")
        done = weir.run("check", "a", *LIMIT, "--store", redis.url + "?on_error=deny", "--json")
        expect((done.code, done.objects()[0]["failure"]), (1, "foreign-value"))
        expect(redis.command("GET", "weir:{a}:fixed-window/1h"), "hello")


# ---- Passwords ----


def test_passwords_from_a_file_or_the_environment(weir):
    with open(weir.file("secret"), "w", encoding="utf-8") as file:
        file.write(SECRET + "\n")
    with rig.Redis(password=SECRET) as redis:
        bare = f"redis://127.0.0.1:{redis.port}"
        quoted = SECRET.replace("/", "%2F").replace(":", "%3A").replace("@", "%40")
        for url in (f"redis://:{quoted}@127.0.0.1:{redis.port}", f"{bare}?password_file={weir.file('secret')}",
                    f"{bare}?password_env=WEIR_SECRET"):
            done = weir.run("check", "a", *LIMIT, "--store", url, "--json", env={"WEIR_SECRET": SECRET})
            expect((done.objects()[0]["source"], done.err), ("redis", ""), url)
        for url, word in ((bare, "auth"), (f"redis://:wrong@127.0.0.1:{redis.port}", "auth")):
            done = weir.run("check", "a", *LIMIT, "--store", url, "--json")
            expect(done.objects()[0]["failure"], word, url)


def test_a_password_is_never_printed(weir):
    tries = [("check", "a", *LIMIT, "--store"), ("store",), ("reset", "a", *LIMIT, "--store")]
    urls = ["redis://user:hunter2@127.0.0.1:1?deadline=oops", "redis://user:hunter2@127.0.0.1:99999",
            "redis://user:hunter2@host:bad/0", f"redis://user:hunter2@127.0.0.1:{refused()}",
            "redis://user:hunter2/x@127.0.0.1", "redsi://user:hunter2@127.0.0.1", "redis://:hunter2@"]
    with rig.Redis(password="other") as redis:
        urls.append(f"redis://:hunter2@127.0.0.1:{redis.port}")
        for words in tries:
            for url in urls:
                done = weir.run(*words, url)
                assert "hunter2" not in done.out + done.err, (url, done.out, done.err)
                assert done.out or done.err, url
    done = weir.run("store", "redis://user:hunter2@127.0.0.1:1?deadline=oops")
    expect(done.code, 2)
    shown, carets = done.err.splitlines()[1:3]
    expect(shown.strip(), "redis://user:***@127.0.0.1:1?deadline=oops")
    expect(shown[carets.index("^"):].strip(), "oops")


# ---- weir store ----


def test_store_of_one_server(weir):
    with rig.Redis() as redis:
        done = weir.run("store", redis.url)
        lines = done.out.splitlines()
        version = redis.info()["redis_version"]
        expect((done.code, done.err), (0, ""))
        expect(lines[0], f"{redis.url}: one server")
        assert lines[1].startswith(f"up    127.0.0.1:{redis.port}  primary, "), lines[1]
        done = weir.run("store", redis.url, "--json")
        found = json.loads(done.out)
        server = found["servers"][0]
        expect((found["topology"], len(found["servers"])), ("one server", 1))
        expect((server["connected"], server["role"], server["tls"]), (True, "primary", False))
        if server["kind"] == "redis":
            expect(server["version"], version)
        assert server["latency_us"] >= 0 and abs(server["clock_ahead_us"]) < 5000000, server


def test_store_that_is_not_there(weir):
    port = refused()
    done = weir.run("store", f"redis://127.0.0.1:{port}", "--timeout", "200ms")
    expect(done.code, 1)
    assert f"down  127.0.0.1:{port}" in done.out and "refused" in done.out, done.out
    server = json.loads(weir.run("store", f"redis://127.0.0.1:{port}", "--json").out)["servers"][0]
    expect((server["connected"], server["failure"]), (False, "unreachable"))


def test_store_of_a_cluster_and_of_sentinels(weir):
    with rig.Cluster() as cluster:
        found = json.loads(weir.run("store", cluster.url, "--json", "--timeout", "10s").out)
        expect((found["topology"], len(found["servers"])), ("cluster", 3))
        expect(sum(server["slots"] for server in found["servers"]), 16384)
        done = weir.run("check", *LIMIT, "--store", cluster.url + "?deadline=10s", "--json",
                        stdin=b"".join(b"key%d\n" % i for i in range(50)))
        expect({answer["source"] for answer in done.objects()}, {"redis"})
    with rig.Sentinel() as sentinel:
        found = json.loads(weir.run("store", sentinel.url, "--json", "--timeout", "10s").out)
        expect(found["topology"], "sentinel")
        expect([server["role"] for server in found["servers"] if server["connected"]], ["primary"])


def test_store_of_a_table(weir):
    done = weir.run("store", "memory:")
    expect((done.code, done.out), (0, "memory:: a table in this process\n"))


def test_store_wants_one_url(weir):
    for words in ((), ("redis://a", "redis://b")):
        done = weir.run("store", *words)
        expect(done.code, 2)
        assert "one URL is needed" in done.err, done.err
    done = weir.run("stats", "--store", "redis://127.0.0.1")
    expect(done.code, 2)
    assert "weir store" in done.err, done.err


main(globals())
