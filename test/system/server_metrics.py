#!/usr/bin/env python3
"""server_metrics - /metrics of a real server: what was asked is what is told, promtool finds nothing to mend, and the
manual, the alerts and the dashboard name what is there."""

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402
from cli_support import ROOT, expect, main  # noqa: E402

POLICY = """\
listen:
  - http: 127.0.0.1:{http}
  - resp: 127.0.0.1:{resp}
rules:
  - name: login
    key: [ip]
    limit: 2/h
  - name: watched "in\\\\ the dark"
    match:
      shadow: yes
    key: [ip]
    limit: 1/h
    shadow: true
"""


class Server:
    """weir serve on the policy, with ports of its own; as a context it ends with it."""

    def __init__(self, weir, policy=POLICY):
        self.ports = [rig.Port(), rig.Port()]
        self.http, self.resp = (port.number for port in self.ports)
        with open(weir.file("weir.yaml"), "w", encoding="utf-8") as file:
            file.write(policy.format(http=self.http, resp=self.resp))
        self.log = open(weir.file("log"), "wb")
        self.process = weir.start("serve", "--config", weir.file("weir.yaml"), stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{self.http}"

    def __enter__(self):
        rig.wait(self.is_ready, "the server listens")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=rig.PATIENCE)
        self.log.close()
        for port in self.ports:
            port.release()

    def is_ready(self):
        if self.process.poll() is not None:
            with open(self.log.name, encoding="utf-8") as log:
                raise ChildProcessError(log.read())
        with contextlib.suppress(OSError):
            return self.get("/readyz").status == 200
        return False

    def get(self, path):
        return urllib.request.urlopen(self.url + path, timeout=rig.PATIENCE)

    def check(self, **attributes):
        request = urllib.request.Request(self.url + "/v1/check", json.dumps({"attributes": attributes}).encode(),
                                         {"Content-Type": "application/json"})
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=rig.PATIENCE).close()

    def metrics(self):
        with self.get("/metrics") as answer:
            expect(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            return answer.read().decode()


def families(text):
    """name -> (type, {series: number}); strict: HELP, TYPE, then all samples of a family, no series twice."""
    found = {}
    current = None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in found and line.endswith("."), line
            found[current] = (None, {})
            continue
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            expect(name, current)
            found[current] = (kind, {})
            continue
        sample = re.fullmatch(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? ([0-9.]+)', line)
        assert sample, line
        kind, series = found[current]
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        assert sample[1] in [current + end for end in ends], line
        name = sample[1] + ("{" + sample[2] + "}" if sample[2] else "")
        assert name not in series, line
        series[name] = float(sample[3])
    return found


def sample(text, name):
    return families(text)[re.sub(r"(_bucket|_sum|_count)?(\{.*)?$", "", name)][1].get(name)


def test_what_was_asked_is_told(weir):
    with Server(weir) as server:
        for _ in range(5):
            server.check(ip="203.0.113.9")
        for _ in range(3):
            server.check(ip="203.0.113.10", shadow="yes")
        with rig.Connection(server.resp) as connection:
            expect([connection.command("CL.THROTTLE", "alice", 1, 1, 3600)[0] for _ in range(3)], [0, 0, 1])
        # A worker counts an answer when it has written it, which may be a moment after it has arrived.
        text = rig.wait(lambda: (lambda t: sample(t, 'weir_requests_total{door="resp"}') == 3 and t)(server.metrics()),
                        "what came by RESP is counted")
        # The table is counted now and then, aside.
        rig.wait(lambda: sample(server.metrics(), "weir_table_slots") > 1000000, "the table is counted")
    expect(families(text)["weir_decisions_total"][1], {'weir_decisions_total{rule="login",outcome="allowed"}': 4,
                    'weir_decisions_total{rule="login",outcome="denied"}': 4,
                    'weir_decisions_total{rule="watched \\"in\\\\\\\\ the dark\\"",outcome="allowed"}': 0,
                    'weir_decisions_total{rule="watched \\"in\\\\\\\\ the dark\\"",outcome="denied"}': 0,
                    'weir_decisions_total{rule="watched \\"in\\\\\\\\ the dark\\"",outcome="shadow-allowed"}': 1,
                    'weir_decisions_total{rule="watched \\"in\\\\\\\\ the dark\\"",outcome="shadow-denied"}': 2,
           'weir_decisions_total{rule="(ad hoc)",outcome="allowed"}': 2,
           'weir_decisions_total{rule="(ad hoc)",outcome="denied"}': 1})
    expect(sample(text, 'weir_store_answers_total{source="memory"}'), 14)
    assert sample(text, 'weir_requests_total{door="http"}') >= 9
    assert sample(text, 'weir_request_duration_seconds_count{door="http"}') >= 8
    assert sample(text, 'weir_request_duration_seconds_bucket{door="http",le="+Inf"}') >= 8
    assert sample(text, "weir_store_duration_seconds_count") > 0
    assert sample(text, "weir_connections_accepted_total") >= 9
    assert sample(text, "weir_connections") >= 1
    expect(sample(text, "weir_policy_rules"), 2)
    expect(sample(text, "weir_policy_version"), 1)
    expect(sample(text, "weir_policy_last_reload_successful"), 1)


def test_promtool_finds_nothing(weir):
    promtool = subprocess.run([os.path.join(ROOT, "tools/promtool")], stdout=subprocess.PIPE, check=True,
                              text=True).stdout.strip()
    with Server(weir) as server:
        server.check(ip="203.0.113.9")
        text = server.metrics()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    expect((done.returncode, done.stdout, done.stderr), (0, "", ""))
    # It does find something where there is something.
    done = subprocess.run([promtool, "check", "metrics"], input=text + "weir_more 1\n", capture_output=True, text=True,
                          check=False)
    assert done.returncode != 0
    done = subprocess.run([promtool, "check", "rules", os.path.join(ROOT, "share/prometheus/weir-alerts.yaml")],
                          capture_output=True, text=True, check=False)
    expect(done.returncode, 0, done.stderr)


def test_the_manual_names_all(weir):
    with open(os.path.join(ROOT, "docs/manual/metrics.md"), encoding="utf-8") as page:
        table = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", page.read(), re.MULTILINE)
    with Server(weir) as server:
        server.check(ip="203.0.113.9")
        told = families(server.metrics())
    labels = {}
    for name, (_, series) in told.items():
        each = {tuple(label for label in re.findall(r'[{,](\w+)="', one) if label != "le") for one in series}
        expect(len(each), 1, name)
        labels[name] = each.pop()
    expect({name: (kind, tuple(re.findall(r"`(\w+)`", words))) for name, kind, words in table},
           {name: (kind, labels[name]) for name, (kind, _) in told.items()})
    expect(len(table), len(told))


def test_alerts_and_dashboard_name_what_is_there(weir):
    with Server(weir) as server:
        server.check(ip="203.0.113.9")
        series = [name for _, found in families(server.metrics()).values() for name in found]
    names = {name.split("{")[0] for name in series}
    with open(os.path.join(ROOT, "share/grafana/weir.json"), encoding="utf-8") as file:
        expressions = [target["expr"] for panel in json.load(file)["panels"] for target in panel["targets"]]
    with open(os.path.join(ROOT, "share/prometheus/weir-alerts.yaml"), encoding="utf-8") as file:
        expressions += re.findall(r"^ +expr: (.*)$", file.read(), re.MULTILINE)
    assert len(expressions) > 25
    for expression in expressions:
        used = re.findall(r"\b((?:weir|process)_\w+)", expression)
        assert used and set(used) <= names, expression
        for name, label, value in re.findall(r'((?:weir|process)_\w+)\{[^}]*?(\w+)="([^"$]*)"', expression):
            assert any(one.startswith(name) and f'{label}="{value}"' in one for one in series), expression


def test_weir_top_shows_them(weir):
    with Server(weir) as server:
        for _ in range(5):
            server.check(ip="203.0.113.9")
        done = weir.run("top", server.url)
        expect((done.code, done.err), (0, ""))
        expect(done.out, "         DENIED  RULE   KEY\n              3  login  203.0.113.9\n")
        expect(weir.run("top", "--json", server.url).objects()[0]["top"],
               [{"rule": "login", "offenders": [{"key": "203.0.113.9", "denied": 3, "error": 0}]}])
        # A key is whatever a peer has sent: a rule's is escaped, one of CL.THROTTLE is not.
        for _ in range(7):
            server.check(ip="a\0\x1b[31mb" + "c" * 300)
        with rig.Connection(server.resp) as connection:
            for _ in range(10):
                connection.command("CL.THROTTLE", "a\0\x1b[31mb", 1, 1, 3600)
        top = weir.run("top", "--json", server.url).objects()[0]["top"]
        shown = {each["rule"]: each["offenders"][0] for each in top}
        expect(shown, {"login": {"key": "a%00%1B[31mb" + "c" * 240 + "...", "denied": 5, "error": 0},
                       "(ad hoc)": {"key": "a\0\x1b[31mb", "denied": 8, "error": 0}})
        assert " (ad hoc)  a??[31mb\n" in weir.run("top", server.url).out


if __name__ == "__main__":
    sys.exit(main(globals()))
