#!/usr/bin/env python3
"""envoy_proxy - a real Envoy, configured as examples/envoy has it, in front of an application: it asks weir, and weir's
answers become 429 and headers; without weir, failure_mode_deny decides. tools/envoy gets Envoy."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cli_support import ROOT, expect, main  # noqa: E402
from http_support import Application, Running, ask, rig  # noqa: E402
from envoy_original import FETCHED, Side, fetch  # noqa: E402

EXAMPLE = os.path.join(ROOT, "examples", "envoy")


class Envoy(Running):
    def __init__(self, weir, ports, replacing=("#", "#")):
        self.port = rig.Port()
        with open(os.path.join(EXAMPLE, "envoy.yaml"), encoding="utf-8") as file:
            text = file.read().replace(*replacing)
        for before, after in {8000: self.port.number, **ports}.items():
            expect(text.count(f"port_value: {before}}}"), 1)
            text = text.replace(f"port_value: {before}}}", f"port_value: {after}}}")
        path = weir.file("envoy.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        super().__init__(weir.folder, "envoy", [os.path.join(FETCHED, "envoy", "run"), "-c", path, "--concurrency", "1",
                                                "--use-dynamic-base-id", "--log-level", "warning"])

    def ready(self):
        ask(self.port.number, "GET", "/ready", source="127.0.0.99")
        return True

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        self.port.release()

    def get(self, path, source="127.0.0.1", **headers):
        return ask(self.port.number, "GET", path, headers, source=source)


def serve(weir):
    fetch()
    return Side(weir.folder, "weir", [weir.path, "serve", "--envoy-config", os.path.join(EXAMPLE, "config")], {})


BULK = """\
                        - match: {prefix: /bulk}
                          route: {cluster: application}
                          typed_per_filter_config:
                            envoy.filters.http.ratelimit:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute
                              rate_limits:
                                - hits_addend: {number: 4}
                                  actions:
                                  - header_value_match: {descriptor_value: bulk, headers: [{name: x-bulk, present_match: true}]}
"""
FIRST = "                        - match: {prefix: /search}\n"

RULES = """\
domain: site
descriptors:
  - key: header_match
    value: bulk
    rate_limit: {unit: hour, requests_per_unit: 10}
  - key: remote_address
    rate_limit: {unit: hour, requests_per_unit: 3, on_error: deny}
  - key: generic_key
    value: search
    descriptors:
      - key: user
        rate_limit: {unit: hour, requests_per_unit: 2, on_error: allow}
"""


class Own(Side):
    """weir with a file of the test's own."""

    def __init__(self, weir, text, env):
        fetch()
        self.config = weir.file("config")
        os.makedirs(self.config)
        self.write(text)
        super().__init__(weir.folder, "weir", [weir.path, "serve", "--envoy-config", self.config], env)

    def write(self, text):
        with open(os.path.join(self.config, ".site.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(os.path.join(self.config, ".site.yaml"), os.path.join(self.config, "site.yaml"))


def ports_of(side, application):
    return {3000: application.port, 8081: side.ports["GRPC_"].number}


def test_an_address_and_a_user_have_a_limit_each(weir):
    with serve(weir) as side, Application() as application, Envoy(weir, ports_of(side, application)) as envoy:
        for left in ("2", "1", "0"):
            answer = envoy.get("/", "127.0.0.2")
            expect((answer.status, answer.headers["x-ratelimit-remaining"]), (200, left))
        reached = len(application.seen)
        answer = envoy.get("/", "127.0.0.2")
        expect((answer.status, answer.headers["x-envoy-ratelimited"], len(application.seen)), (429, "true", reached))
        expect(envoy.get("/", "127.0.0.3").status, 200)
        expect([envoy.get("/search", **{"x-user": "ann"}).status for _ in range(3)], [200, 200, 429])
        expect(envoy.get("/search", **{"x-user": "bob"}).status, 200)


def test_a_long_value_gets_past_no_limit(weir):
    """Envoy lets a request pass whose answer is an error: a client could bring one about."""
    with serve(weir) as side, Application() as application, Envoy(weir, ports_of(side, application)) as envoy:
        long = "a" * 5000
        expect([envoy.get("/search", **{"x-user": long}).status for _ in range(3)], [200, 200, 429])
        expect(envoy.get("/search", **{"x-user": long + "b"}).status, 200)


def test_a_request_that_matches_takes_several_hits(weir):
    with Own(weir, RULES, {}) as side, Application() as application, \
            Envoy(weir, ports_of(side, application), (FIRST, BULK + FIRST)) as envoy:
        for left in ("6", "2"):
            answer = envoy.get("/bulk", **{"x-bulk": "1"})
            expect((answer.status, answer.headers["x-ratelimit-remaining"]), (200, left))
        expect(envoy.get("/bulk", **{"x-bulk": "1"}).status, 429)
        expect([envoy.get("/bulk").status for _ in range(3)], [200] * 3)


def test_a_file_that_changes_is_felt(weir):
    with Own(weir, RULES, {}) as side, Application() as application, Envoy(weir, ports_of(side, application)) as envoy:
        expect([envoy.get("/", "127.0.0.2").status for _ in range(4)], [200, 200, 200, 429])
        side.write(RULES.replace("requests_per_unit: 3", "requests_per_unit: 1000"))
        rig.wait(lambda: envoy.get("/", "127.0.0.2").status == 200, "the raised limit is felt")


def test_a_store_that_hangs_is_answered_for_in_time(weir):
    with rig.Redis() as redis, Application() as application, \
            Own(weir, RULES, {"REDIS_URL": f"127.0.0.1:{redis.port}", "REDIS_TIMEOUT": "10s"}) as side, \
            Envoy(weir, ports_of(side, application)) as envoy:
        expect(envoy.get("/", "127.0.0.2").status, 200)
        redis.pause()
        # By each rule's on_error, and not by failure_mode_deny, which would let all of them pass.
        expect([envoy.get("/", "127.0.0.2").status for _ in range(3)], [429] * 3)
        expect([envoy.get("/search", **{"x-user": "ann"}).status for _ in range(3)], [200] * 3)
        redis.resume()


def without_weir(weir, replacing, status):
    with Application() as application:
        with serve(weir) as side:
            ports = ports_of(side, application)
        with Envoy(weir, ports, replacing) as envoy:
            expect([envoy.get("/", "127.0.0.2").status for _ in range(5)], [status] * 5)


def test_without_weir_all_pass(weir):
    without_weir(weir, ("#", "#"), 200)


def test_without_weir_none_pass_where_envoy_is_told_so(weir):
    without_weir(weir, ("failure_mode_deny: false", "failure_mode_deny: true"), 500)


if __name__ == "__main__":
    main(globals())
