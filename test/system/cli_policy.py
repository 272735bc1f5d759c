#!/usr/bin/env python3
"""cli_policy - weir validate and weir explain: what they say of files, for people and for programs."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402
from cli_support import ROOT, expect, main  # noqa: E402

EXAMPLE = os.path.join(ROOT, "examples/weir.yaml")

POLICY = """store: shm:%s?size=64KiB
rules:
  - {name: banned, key: [ip], limit: 100/s, deny: [192.0.2.0/24], allow: [{match: {user: {present: true}}}]}
  - {name: big, key: [], limit: 5/s, cost: {from: tokens}, match: {path: /big}}
  - name: plans
    key: [user]
    tiers: {by: plan, limits: {free: 1/m, pro: 100/s}}
    overrides: [{key: alice, limit: 7/s}]
  - {name: quiet, key: [ip], limit: 1/h, shadow: true}
"""


def write(weir, text, name="weir.yaml"):
    with open(weir.file(name), "w", encoding="utf-8") as file:
        file.write(text)
    return weir.file(name)


def policy(weir):
    return write(weir, POLICY % weir.file("table"))


def test_validate_says_what_a_file_comes_to(weir):
    done = weir.run("validate", EXAMPLE)
    expect((done.code, done.err), (0, ""))
    lines = done.out.splitlines()
    expect(lines[0], f"{EXAMPLE} is right: 4 rules, 1 file")
    assert "  listens  http 127.0.0.1:8080" in lines and "           resp 127.0.0.1:6380" in lines, done.out
    assert "  rules    login: 5/m sliding-log block 15m, by ip" in lines, done.out
    assert "           scrapers: 1/s, by ip (shadow: never denies)" in lines, done.out
    assert "  memory   64 MiB for keys, room for 4,194,304: 16 bytes for each key of a rule" in lines, done.out


def test_validate_for_programs(weir):
    done = weir.run("validate", EXAMPLE, "--json")
    expect((done.code, done.err), (0, ""))
    found = done.objects()[0]
    expect((found["store"], found["table_bytes"], found["keys"]), ("memory:?size=64MiB", 64 << 20, 4 << 20))
    expect([rule["name"] for rule in found["rules"]], ["login", "api", "address", "scrapers"])
    expect(found["rules"][1], {"name": "api", "limit": "10/s", "key": ["customer"], "tiers": 2, "overrides": 0,
                               "allow": 0, "deny": 0, "shadow": False})
    expect([listener["address"] for listener in found["listen"]], ["http 127.0.0.1:8080", "resp 127.0.0.1:6380"])
    expect(found["files"], [EXAMPLE])
    assert 1000 < found["policy_bytes"] < 1000000, found


def test_validate_says_all_that_is_wrong_and_nothing_else(weir):
    path = write(weir, "workers: x\nrules:\n- {name: a, limits: 5/s, key: ip}\n")
    done = weir.run("validate", path)
    expect((done.code, done.out), (2, ""))
    expect(done.err.splitlines(), [
        f"{path}:1:10: error: workers: expected a whole number from 0 to 256, not 'x'",
        f"{path}:3:3: error: a rule needs a 'limit', as limit: 100/m (or tiers, overrides or deny)",
        f"{path}:3:13: error: unknown key 'limits'; did you mean 'limit'?"])
    done = weir.run("validate", weir.file("none"))
    expect((done.code, done.err), (2, f"{weir.file('none')}: error: can't be read: No such file or directory\n"))


def test_validate_warns_and_is_content(weir):
    path = write(weir, "rules: [{name: a, limit: 5/s, key: u, deny: [{match: {u: x}, until: 2001-01-01}]}]")
    done = weir.run("validate", path)
    expect((done.code, done.err), (0, f"{path}:1:69: warning: this entry is over; take it out\n"))
    assert "is right: 1 rule" in done.out


def test_validate_opens_nothing(weir):
    expect(weir.run("validate", policy(weir)).code, 0)
    assert not os.path.exists(weir.file("table"))
    secret = write(weir, "store: redis://:hunter2@127.0.0.1:1/0?local=1MiB", "redis.yaml")
    for arguments in ([], ["--json"]):
        done = weir.run("validate", secret, *arguments)
        expect((done.code, done.err), (0, ""))
        assert "hunter2" not in done.out and "redis://:***@127.0.0.1:1/0" in done.out, done.out
    assert "room for 65,536 keys" in weir.run("validate", secret).out


def test_validate_reads_files_of_envoyproxy_ratelimit(weir):
    folder = weir.file("config")
    os.makedirs(folder)
    path = os.path.join(folder, "web.yaml")
    limit = "{unit: day, requests_per_unit: 3}"
    with open(path, "w", encoding="utf-8") as file:
        file.write("domain: web\ndescriptors:\n  - {key: path, shadow_mode: true, rate_limit: " + limit + "}\n")
    done = weir.run("validate", "--envoy-config", folder)
    expect((done.code, done.err), (0, ""))
    assert f"{folder} is right: 1 rule, 1 file" in done.out and "web.path: unit=DAY requests_per_unit=3" in done.out, done.out
    assert "grpc 127.0.0.1:8081" in done.out, done.out
    done = weir.run("validate", "--envoy-config", folder, "--json")
    expect(json.loads(done.out)["rules"], [{"name": "web.path", "limit": "3/d calendar-window epoch", "shadow": True}])
    # The same by the variables that name the folder.
    named = weir.run("validate", "--envoy", env={"RUNTIME_ROOT": os.path.dirname(folder), "RUNTIME_SUBDIRECTORY": "."})
    expect((named.code, named.err), (0, ""))
    assert "the environment is right: 1 rule, 1 file" in named.out, named.out
    with open(path, "a", encoding="utf-8") as file:
        file.write("  - {key: other, rate_limit: {unit: eon, requests_per_unit: 3}}\n")
    done = weir.run("validate", "--envoy-config", folder)
    expect((done.code, done.out), (2, ""))
    assert done.err.startswith(f"{path}:4:"), done.err
    done = weir.run("validate", "--envoy-config", folder, "weir.yaml")
    expect((done.code, done.err), (2, "weir validate: FILE is a file of weir's and --envoy-config a folder of "
                                      "envoyproxy/ratelimit's: name one of them\n"))


def test_wrong_use(weir):
    for command in ("validate", "explain"):
        done = weir.run(command)
        expect((done.code, done.out), (2, ""))
        expect(done.err, f"weir {command}: a FILE is needed, as weir.yaml; see weir {command} --help\n")
    expect(weir.run("validate", "a", "b").err, "weir validate: one FILE at a time; see weir validate --help\n")
    for word in ("ip", "=x"):
        expect(weir.run("explain", EXAMPLE, word).err,
               f"weir explain: '{word}' is no attribute; write NAME=VALUE, as ip=203.0.113.7\n")
    expect(weir.run("explain", EXAMPLE, *[f"a{i}=1" for i in range(64)]).code, 0)
    done = weir.run("explain", EXAMPLE, *[f"a{i}=1" for i in range(65)])
    expect((done.code, done.err), (2, "weir explain: a request has at most 64 attributes\n"))
    done = weir.run("explain", EXAMPLE, "ip=1.1.1.1", "--ask")
    expect((done.code, done.err),
           (2, "weir explain: --ask: the file's store is memory:, which only the server itself can see\n"))


def test_explain_says_which_rules_match_and_why(weir):
    done = weir.run("explain", EXAMPLE, "ip=203.0.113.7", "method=POST", "path=/login")
    expect((done.code, done.err), (0, ""))
    expect(done.out.splitlines()[:8], [
        "allowed", "", "  login  allowed, 5 of 5 left", "    limit   5/m sliding-log block 15m",
        "    key     203.0.113.7", "    as      method is POST; path is /login, which starts with /login",
        "  address  allowed, 100 of 100 left", "    limit   50/s burst 100"])
    expect(done.out.splitlines()[-1], "  2 rules do not match; --all says why")
    done = weir.run("explain", EXAMPLE, "ip=203.0.113.7", "method=POST", "path=/login", "--all")
    assert "  api  does not match\n    as      path is /login, which does not start with /api/\n" in done.out, done.out


def explained(weir, *words):
    done = weir.run("explain", policy(weir), *words, "--json")
    expect(done.err, "")
    found = done.objects()[0]
    return done.code, found, {rule["rule"]: rule for rule in found["rules"]}


def test_explain_says_where_a_limit_comes_from(weir):
    weir.run("check", "x", "--limit", "1/s", "--store", weir.store())
    for words, limit, origin in ((["user=bob", "plan=free"], "1/m", "tier"), (["user=bob", "plan=pro"], "100/s", "tier"),
                                 (["user=alice", "plan=pro"], "7/s", "override")):
        code, found, rules = explained(weir, *words)
        expect((code, found["allowed"]), (0, True))
        expect((rules["plans"]["limit"], rules["plans"]["limit_from"], rules["plans"]["key"]),
               (limit, origin, words[0].removeprefix("user=")))
        expect(rules["plans"].get("tier"), words[1].removeprefix("plan=") if origin == "tier" else None)
    code, found, rules = explained(weir, "user=bob", "plan=none")
    expect((code, set(rules["plans"])), (0, {"rule", "matches", "why"}))
    expect((found["allowed"], found["decided_by"]), (True, None))
    done = weir.run("explain", policy(weir), "user=bob", "plan=none")
    assert done.out.startswith("allowed: no rule that denies matches\n") and "  plans  no limit\n" in done.out, done.out


def test_explain_says_what_a_list_does(weir):
    code, found, rules = explained(weir, "ip=192.0.2.7")
    expect((code, found["allowed"], found["decided_by"]), (1, False, "banned"))
    expect((rules["banned"]["listed"], rules["banned"]["allowed"]), ("deny", False))
    assert "limit" not in rules["banned"]
    code, found, rules = explained(weir, "ip=203.0.113.1", "user=carol")
    expect((code, rules["banned"]["listed"], rules["banned"]["allowed"]), (0, "allow", True))
    done = weir.run("explain", policy(weir), "ip=192.0.2.7")
    expect(done.code, 1)
    assert done.out.startswith("denied by banned") and "    list    its deny list has an entry for this\n" in done.out


def test_explain_counts_costs(weir):
    code, found, rules = explained(weir, "path=/big", "tokens=5")
    expect((code, rules["big"]["cost"], rules["big"]["remaining"]), (0, 5, 5))
    code, found, rules = explained(weir, "path=/big", "tokens=6")
    expect((code, found["retry_after_us"], rules["big"]["allowed"]), (1, None, False))
    code, found, rules = explained(weir, "path=/big", "--cost", "3")
    expect((code, rules["big"]["cost"]), (0, 3))
    done = weir.run("explain", policy(weir), "path=/big", "tokens=6")
    assert done.out.startswith("denied by big, for good\n"), done.out
    done = weir.run("explain", policy(weir), "path=/big", "tokens=six")
    expect((done.code, done.out), (2, ""))
    assert "big" in done.err and "tokens" in done.err, done.err


def test_explain_takes_nothing_and_asks_where_it_is_told(weir):
    """A shadow's limit of one is used up in the file's store: seen with --ask alone."""
    path = policy(weir)
    done = weir.run("explain", path, "ip=203.0.113.1", "--ask")
    expect((done.code, done.err), (2, f"weir explain: store: there is none at {weir.file('table')} yet; weir check makes it\n"))
    expect(weir.run("check", "203.0.113.1", "--limit", "1/h", "--name", "quiet", "--store", weir.store()).code, 0)
    for arguments, allowed in ((["--ask"], False), (["--store", weir.store()], False), ([], True), (["--ask"], False)):
        done = weir.run("explain", path, "ip=203.0.113.1", "--json", *arguments)
        rules = {rule["rule"]: rule for rule in done.objects()[0]["rules"]}
        expect((done.code, rules["quiet"]["allowed"], rules["quiet"]["shadow"]), (0, allowed, True), arguments)


def test_explain_asks_redis(weir):
    with rig.Redis() as redis:
        path = write(weir, f"store: {redis.url}\nrules: [{{name: a, key: u, limit: 1/h}}]\n")
        expect(weir.run("explain", path, "u=x", "--ask").code, 0)
        expect(weir.run("check", "x", "--limit", "1/h", "--name", "a", "--store", redis.url).code, 0)
        done = weir.run("explain", path, "u=x", "--ask")
        expect((done.code, done.err), (1, ""))
        assert done.out.startswith("denied by a, retry in "), done.out


def test_keys_do_not_steer_a_terminal(weir):
    path = write(weir, "rules: [{name: a, key: u, match: {u: {glob: '*'}}, limit: 1/h}]\n")
    code, shown = weir.on_terminal("explain", path, "u=\x1b[31mred", "--color=never")
    expect(code, 0)
    assert "\x1b" not in shown, repr(shown)


def test_colours_where_they_are_wanted(weir):
    expect(weir.run("explain", EXAMPLE, "ip=1.1.1.1", "--color=always").out.splitlines()[0], "\x1b[32mallowed\x1b[0m")
    assert "\x1b" not in weir.run("explain", EXAMPLE, "ip=1.1.1.1").out
    assert "\x1b" in weir.run("validate", EXAMPLE, "--color=always").out


if __name__ == "__main__":
    sys.exit(main(globals()))
