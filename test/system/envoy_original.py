#!/usr/bin/env python3
"""envoy_original - envoyproxy/ratelimit and weir side by side: the same files, environment and requests, each with a
Redis of its own, give the same answers and list the same rules, apart from what DIFFERENCES names. See docs/envoy.md, which has them
too. Not compared: counters, which this original tells by statsd or to Prometheus alone; quotas, metadata of rules and
hits given back, which are newer than it.

tools/envoy gets the original. Windows are of a minute and more: who asks as one ends begins anew, with new servers.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cli_support import ROOT, expect, main  # noqa: E402
from http_support import Running, ask, rig  # noqa: E402
import rls  # noqa: E402

FETCHED = os.environ.get("WEIR_ENVOY", os.path.join(ROOT, "build", "envoy"))
SEED = int(os.environ.get("WEIR_SEED", "0")) or int.from_bytes(os.urandom(4), "little")
REQUESTS = 2000
FILES = 8  # pairs of them
TRIES = 5
OK, OVER = 1, 2
MINUTE, HOUR, DAY = 2, 3, 4

RULES = """
domain: shop
descriptors:
  - {key: plain, rate_limit: {unit: minute, requests_per_unit: 7}}
  - {key: exact, value: one, rate_limit: {unit: hour, requests_per_unit: 5, name: hourly}}
  - {key: exact, value: two, rate_limit: {unit: day, requests_per_unit: 9}}
  - {key: week, rate_limit: {unit: week, requests_per_unit: 6}}
  - {key: month, rate_limit: {unit: MONTH, requests_per_unit: 6}}
  - {key: year, rate_limit: {unit: Year, requests_per_unit: 6}}
  - {key: never, rate_limit: {unit: minute, requests_per_unit: 0}}
  - {key: free, rate_limit: {unlimited: true}}
  - {key: nothing}
  - {key: shadow, shadow_mode: true, rate_limit: {unit: hour, requests_per_unit: 3}}
  - {key: wild, value: "us*", rate_limit: {unit: hour, requests_per_unit: 4}}
  - {key: wild, value: "u*", rate_limit: {unit: hour, requests_per_unit: 8}}
  - {key: shared, value: "a*", share_threshold: true, rate_limit: {unit: hour, requests_per_unit: 12}}
  - {key: detailed, detailed_metric: true, rate_limit: {unit: hour, requests_per_unit: 5}}
  - {key: valued, value_to_metric: true, rate_limit: {unit: hour, requests_per_unit: 5}}
  - key: outer
    rate_limit: {unit: hour, requests_per_unit: 10}
    descriptors:
      - {key: inner, rate_limit: {unit: minute, requests_per_unit: 6}}
      - {key: inner, value: deep, descriptors: [{key: bottom, rate_limit: {unit: hour, requests_per_unit: 4}}]}
  - {key: better, rate_limit: {unit: hour, requests_per_unit: 20, name: better, replaces: [{name: hourly}]}}
  - {key: boundless, rate_limit: {unlimited: true, replaces: [{name: hourly}]}}
"""
OTHER = """
domain: other
descriptors:
  - {key: plain, value: one, rate_limit: {unit: minute, requests_per_unit: 3}}
"""

# What is wrong, and refused by both.
WRONG = {
    "no domain": "descriptors: []",
    "no key": "domain: a\ndescriptors:\n  - {value: b}",
    "unit": "domain: a\ndescriptors:\n  - {key: b, rate_limit: {unit: fortnight, requests_per_unit: 1}}",
    "a key nobody knows": "domain: a\ndescriptors:\n  - {key: b, ratelimit: {unit: day, requests_per_unit: 1}}",
    "twice": "domain: a\ndescriptors:\n  - {key: b, value: c}\n  - {key: b, value: c}",
    "unlimited with a unit": "domain: a\ndescriptors:\n  - {key: b, rate_limit: {unlimited: true, unit: day}}",
    "shared without pattern": "domain: a\ndescriptors:\n  - {key: b, value: c, share_threshold: true,\n"
                              "     rate_limit: {unit: day, requests_per_unit: 1}}",
    "replaces itself": "domain: a\ndescriptors:\n  - {key: b, rate_limit: {unit: day, requests_per_unit: 1, name: n,\n"
                       "     replaces: [{name: n}]}}",
    "no YAML": "domain: [",
}


class Straddled(Exception):
    """A minute ended between one answer and the other."""


class Side(Running):
    """One of the two, with ports of its own."""

    def __init__(self, folder, name, command, environment):
        self.name = name
        self.ports = {kind: rig.Port() for kind in ("", "GRPC_", "DEBUG_")}
        ports = {kind + "PORT": str(port.number) for kind, port in self.ports.items()}
        hosts = {kind + "HOST": "127.0.0.1" for kind in self.ports}
        super().__init__(folder, name, command, env={"PATH": os.environ["PATH"], **hosts, **ports, **environment})

    def ready(self):
        return self.http("GET", "/healthcheck").status == 200

    def http(self, method, path, body=None):
        return ask(self.ports[""].number, method, path, {"Content-Type": "application/json"}, body)

    def debug(self, path):
        return ask(self.ports["DEBUG_"].number, "GET", path)

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        for port in self.ports.values():
            port.release()


def fetch():
    done = subprocess.run([os.path.join(ROOT, "tools", "envoy")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChildProcessError(done.stderr)
    sys.path.insert(0, os.path.join(FETCHED, "grpc", "root"))
    import grpc  # pylint: disable=import-outside-toplevel
    return grpc


def commands(weir, root):
    return {"original": [os.path.join(FETCHED, "ratelimit", "run")],
            "weir": [weir.path, "serve", "--envoy-config", os.path.join(root, "sub", "config")]}


def write(root, files):
    folder = os.path.join(root, "sub", "config")
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def environment_of(root, redis):
    return {"RUNTIME_ROOT": root, "RUNTIME_SUBDIRECTORY": "sub", "REDIS_SOCKET_TYPE": "tcp", "USE_STATSD": "false",
            "REDIS_URL": f"127.0.0.1:{redis.port}", "EXPIRATION_JITTER_MAX_SECONDS": "0", "REDIS_TIMEOUT": "10s"}


class Pair:
    """Both, by the same files and environment."""

    def __init__(self, weir, files=None, environment=None):
        self.grpc = fetch()
        self.weir, self.stack = weir, contextlib.ExitStack()
        self.root = os.path.join(weir.folder, f"root{len(os.listdir(weir.folder))}")
        write(self.root, files or {"shop.yaml": RULES, "other.yaml": OTHER})
        self.environment = environment or {}
        self.sides, self.calls = [], []

    def __enter__(self):
        with self.stack:
            for name, command in commands(self.weir, self.root).items():
                redis = self.stack.enter_context(rig.Redis())
                environment = {**environment_of(self.root, redis), **self.environment}
                side = self.stack.enter_context(Side(self.weir.folder, name, command, environment))
                call = rls.Asking(self.grpc, f"127.0.0.1:{side.ports['GRPC_'].number}")
                self.stack.callback(call.close)
                self.sides.append(side)
                self.calls.append(call)
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *arguments):
        return self.stack.__exit__(*arguments)

    def both(self, function):
        """What function(side, call) gives for each, and whether it was within one second."""
        left = 60 - time.time() % 60
        if left < 0.1:
            time.sleep(left)  # the next window, which both then see
        before = int(time.time())
        answers = [function(side, call) for side, call in zip(self.sides, self.calls)]
        after = int(time.time())
        if before // 60 != after // 60:
            raise Straddled
        return answers, before == after

    def ask(self, asked):
        answers, same_second = self.both(lambda _, call: call.ask(asked))
        answers = [comparable(answer) for answer in answers]
        return answers if same_second else [without_time(answer) for answer in answers]


def comparable(answer):
    """Without what this version of the original tells, and its newer ones don't; and one space where Go's protobuf puts
    one or two, by chance, so that nobody relies on it."""
    if answer.get("metadata"):
        answer["metadata"].pop("quotaModeEnabled", None)
        for descriptor in answer["metadata"].get("descriptors", []):
            if "limit" in descriptor:
                descriptor["limit"] = " ".join(descriptor["limit"].split())
    return answer


def without_time(answer):
    if "error" in answer:
        return answer
    statuses = [{**status, "reset": status["reset"] is not None} for status in answer["statuses"]]
    return {**answer, "statuses": statuses, "headers": answer["headers"][:2]}


def anew(function):
    """Runs a test again where a minute ended amid an answer."""
    def test(weir):
        for _ in range(TRIES):
            with contextlib.suppress(Straddled):
                return function(weir)
        raise TimeoutError(f"{TRIES} times a minute ended between two answers")
    test.__name__ = function.__name__
    return test


def some_descriptor(chance):
    value = lambda: chance.choice(["one", "two", "us1", "us2", "u3", "a1", "a2", "deep", "x y", "é", ""])  # noqa: E731
    key = chance.choice(["plain", "exact", "week", "month", "year", "never", "free", "nothing", "shadow", "wild",
                         "shared", "detailed", "valued", "outer", "better", "boundless", "unknown"])
    entries = [(key, value())]
    if key == "outer" and chance.random() < 0.7:
        entries.append(("inner", value()))
        if chance.random() < 0.5:
            entries.append(("bottom", value()))
    descriptor = {"entries": entries}
    if chance.random() < 0.2:
        descriptor["hits"] = chance.randint(1, 4)
    if chance.random() < 0.1:
        # A limit for a value of its own: in another request the counter would have another limit.
        requests, unit = chance.randint(0, 9), chance.choice([MINUTE, HOUR, DAY])
        descriptor = {"entries": [("sent", f"{requests}x{unit}")], "limit": (requests, unit)}
    return descriptor


def some_request(chance):
    """Which names no key twice: see the_same_budget_twice."""
    domain = chance.choices(["shop", "other", "elsewhere"], [12, 2, 1])[0]
    found = [some_descriptor(chance) for _ in range(chance.randint(1, 4))]
    asked = {"domain": domain, "descriptors": list({each["entries"][0][0]: each for each in found}.values())}
    if chance.random() < 0.3:
        asked["hits"] = chance.randint(0, 3)
    return asked


def compare(weir, environment, seed):
    print(f"# WEIR_SEED={seed}", flush=True)
    chance = random.Random(seed)
    codes = {OK: 0, OVER: 0}
    with Pair(weir, environment=environment) as pair:
        for _ in range(REQUESTS):
            asked = some_request(chance)
            original, ours = pair.ask(asked)
            expect(ours, original, f"{asked}")
            codes[original["overall"]] += 1
        expect(*[sorted(side.debug("/rlconfig").body.splitlines()) for side in reversed(pair.sides)])
    assert min(codes.values()) > REQUESTS / 20, codes


@anew
def test_random_requests(weir):
    compare(weir, {}, SEED)


@anew
def test_with_headers_metadata_and_a_prefix(weir):
    compare(weir, {"LIMIT_RESPONSE_HEADERS_ENABLED": "true", "RESPONSE_DYNAMIC_METADATA": "true",
                   "CACHE_KEY_PREFIX": "mine:", "NEAR_LIMIT_RATIO": "0.5"}, SEED + 1)


@anew
def test_in_shadow_mode_all_pass(weir):
    with Pair(weir, environment={"SHADOW_MODE": "true"}) as pair:
        for _ in range(10):
            original, ours = pair.ask({"domain": "shop", "descriptors": [{"entries": [("plain", "a")]},
                                                                         {"entries": [("never", "")]}]})
            expect(ours, original)
            expect(original["overall"], OK)


KEYS = ["a", "b", "c", "d"]
PATTERNS = ["one", "two", "us1", "us*", "u*", "a*"]
UNITS = ["minute", "hour", "day", "week", "month", "year"]


def some_limit(chance, names):
    """And what it is called, if it is."""
    limit = {"unlimited": True} if chance.random() < 0.1 else {"unit": chance.choice(UNITS),
                                                              "requests_per_unit": chance.randint(0, 9)}
    if names and chance.random() < 0.2:
        limit["replaces"] = [{"name": name} for name in chance.sample(names, min(len(names), chance.randint(1, 2)))]
    if chance.random() < 0.3:
        limit["name"] = f"limit{len(names)}"
        names.append(limit["name"])
    return limit


def some_level(chance, depth, names):
    """Descriptors, with others in them."""
    found = {}
    for _ in range(chance.randint(2, 6)):
        rule = {"key": chance.choice(KEYS)}
        if chance.random() < 0.6:
            rule["value"] = chance.choice(PATTERNS)
        if chance.random() < 0.75:
            rule["rate_limit"] = some_limit(chance, names)
        for flag in ("shadow_mode", "detailed_metric", "value_to_metric"):
            if chance.random() < 0.15:
                rule[flag] = True
        if rule.get("value", "").endswith("*") and chance.random() < 0.3:
            rule["share_threshold"] = True
        if depth < 3 and chance.random() < 0.5:
            rule["descriptors"] = some_level(chance, depth + 1, names)
        found[rule["key"], rule.get("value")] = rule
    return list(found.values())


def some_path(chance):
    """Entries, of as many levels as there may be, and one more."""
    values = ["one", "two", "us1", "us2", "u3", "a1", "a2", "x", ""]
    entries = [(chance.choice(KEYS), chance.choice(values)) for _ in range(chance.choice([1, 1, 2, 2, 3, 4]))]
    return {"entries": entries, **({"hits": chance.randint(1, 3)} if chance.random() < 0.2 else {})}


def taken_by(rule):
    """What another file can't have too: a key with a value, or a key with any pattern."""
    value = rule.get("value")
    return rule["key"], "*" if value is not None and value.endswith("*") else value


@anew
def test_random_files(weir):
    """Also where two of them are of one domain, and merged."""
    print(f"# WEIR_SEED={SEED}", flush=True)
    chance = random.Random(SEED + 2)
    codes = set()
    for _ in range(FILES):
        names = []
        halves = [some_level(chance, 1, names) for _ in range(2)]
        # In which order the original merges files is by chance: of two patterns for one key, either could be the first.
        taken = {taken_by(rule) for rule in halves[0]}
        halves[1] = [rule for rule in halves[1] if taken_by(rule) not in taken]
        # JSON is YAML.
        files = {f"{i}.yaml": json.dumps({"domain": "shop", "descriptors": half}) for i, half in enumerate(halves)}
        with Pair(weir, files, {"MERGE_DOMAIN_CONFIG": "true", "RESPONSE_DYNAMIC_METADATA": "true"}) as pair:
            expect(*[sorted(side.debug("/rlconfig").body.splitlines()) for side in reversed(pair.sides)], str(files))
            for _ in range(REQUESTS // 10):
                found = [some_path(chance) for _ in range(chance.randint(1, 4))]
                asked = {"domain": "shop", "descriptors": list({each["entries"][0][0]: each for each in found}.values())}
                original, ours = pair.ask(asked)
                expect(ours, original, f"{asked} by {files}")
                codes.add(original["overall"])
    expect(codes, {OK, OVER})


@anew
def test_requests_without_domain_or_descriptors_are_refused(weir):
    with Pair(weir) as pair:
        for asked in ({"domain": "", "descriptors": [{"entries": [("plain", "a")]}]},
                      {"domain": "shop", "descriptors": []}):
            original, ours = pair.ask(asked)
            expect(original, {"error": "UNKNOWN"})
            expect(ours, {"error": "INVALID_ARGUMENT"})


@anew
def test_json(weir):
    def post(value):
        return lambda side, _: side.http("POST", "/json", value)

    def told(answer):
        try:
            return answer.status, json.loads(answer.body) if answer.status != 400 else None
        except ValueError:
            return answer.status, "no JSON"

    asked = {"domain": "shop", "descriptors": [{"entries": [{"key": "exact", "value": "one"}]}]}
    with Pair(weir) as pair:
        seen = set()
        for body in [json.dumps(asked)] * 7 + ["{", "[]", "", '{"domain": "", "descriptors": []}']:
            answers, same_second = pair.both(post(body))
            original, ours = (told(answer) for answer in answers)
            if same_second:
                expect(ours, original, body)
            seen.add(original[0])
        expect(seen, {200, 429, 400})


def weir_refuses(weir, root, redis):
    """It ends at once."""
    done = subprocess.run(commands(weir, root)["weir"], env=weir.environment(environment_of(root, redis)),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=rig.PATIENCE, check=False)
    return done.returncode not in (0, None) and b"error" in done.stderr


def original_refuses(weir, root, redis):
    """It says so in its log, and starts all the same, with no rules."""
    with Side(weir.folder, "original", commands(weir, root)["original"], environment_of(root, redis)) as side:
        rules = side.debug("/rlconfig").body
    with open(side.log.name, encoding="utf-8") as log:
        return rules == "" and "Error loading new configuration" in log.read()


def test_files_that_are_wrong_are_refused_by_both(weir):
    fetch()
    with rig.Redis() as redis:
        for number, (what, text) in enumerate(WRONG.items()):
            root = os.path.join(weir.folder, f"wrong{number}")
            write(root, {"wrong.yaml": text})
            expect([original_refuses(weir, root, redis), weir_refuses(weir, root, redis)], [True, True], what)


# ---- What differs, on purpose -------------------------------------------------------------------------------------


def times(pair, count, asked):
    for _ in range(count):
        answers = pair.ask(asked)
    return answers


def look_at_a_used_up_budget(pair):
    """Nothing is left, and the next hit would be denied: weir says so."""
    times(pair, 7, {"domain": "shop", "descriptors": [{"entries": [("plain", "look")]}]})
    answers = pair.ask({"domain": "shop", "descriptors": [{"entries": [("plain", "look")], "hits": 0}]})
    return [answer["overall"] for answer in answers], [OK, OVER]


def keys_and_values_joined_by_underscores(pair):
    """(a_b, c) and (a, b_c) are two things, and have a budget each."""
    limit = (3, HOUR)
    times(pair, 3, {"domain": "shop", "descriptors": [{"entries": [("a_b", "c")], "limit": limit}]})
    answers = pair.ask({"domain": "shop", "descriptors": [{"entries": [("a", "b_c")], "limit": limit}]})
    return [answer["overall"] for answer in answers], [OVER, OK]


def a_limit_raised_amid_a_window(pair):
    """Only what was admitted counts: who was denied often is not punished by the new limit."""
    entries = [("sent", "raised")]
    times(pair, 8, {"domain": "shop", "descriptors": [{"entries": entries, "limit": (3, HOUR)}]})
    answers = pair.ask({"domain": "shop", "descriptors": [{"entries": entries, "limit": (6, HOUR)}]})
    return [answer["overall"] for answer in answers], [OVER, OK]


def the_same_budget_twice(pair):
    """What is too much for what is left is denied, and what is not is admitted: one after the other."""
    times(pair, 6, {"domain": "shop", "descriptors": [{"entries": [("plain", "twice")]}]})
    answers = pair.ask({"domain": "shop", "descriptors": [{"entries": [("plain", "twice")], "hits": 2},
                                                          {"entries": [("plain", "twice")]}]})
    return [[status["code"] for status in answer["statuses"]] for answer in answers], [[OVER, OVER], [OVER, OK]]


DIFFERENCES = (the_same_budget_twice, look_at_a_used_up_budget, keys_and_values_joined_by_underscores, a_limit_raised_amid_a_window)


@anew
def test_what_differs_does_so_as_said(weir):
    with Pair(weir) as pair:
        for difference in DIFFERENCES:
            found, said = difference(pair)
            expect(found, said, difference.__name__)


if __name__ == "__main__":
    main(globals())
