#!/usr/bin/env python3
"""serve_tls - curl, redis-cli and openssl talk TLS to a running server: with and without certificates and tokens."""

import http.client
import json
import os
import signal
import subprocess
import sys

from http_support import Server
from cli_support import expect, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402

SECRET = "a-secret-of-enough-bytes"

POLICY = """\
listen:
  - http: 127.0.0.1:{{http}}
  - http: 127.0.0.1:{https}
    tls: {{certificate: {c.server}, key: {c.server_key}}}
  - resp: 127.0.0.1:{resps}
    tls: {{certificate: {c.server}, key: {c.server_key}}}
  - http: 127.0.0.1:{mutual}
    tls: {{certificate: {c.server}, key: {c.server_key}, client_authority: {c.authority}}}
  - resp: 127.0.0.1:{mutual_resp}
    tls: {{certificate: {c.server}, key: {c.server_key}, client_authority: {c.authority}}}
  - http: 127.0.0.1:{tokens}
    tokens:
      - {{name: reader, file: {token}, rights: [read]}}
      - {{name: asker, env: WEIR_TEST_TOKEN, rights: [decide]}}
  - resp: 127.0.0.1:{token_resp}
    tokens:
      - {{name: asker, env: WEIR_TEST_TOKEN, rights: [decide]}}
rules:
  - name: login
    key: ip
    limit: 100/day
"""

NAMES = ("https", "resps", "mutual", "mutual_resp", "tokens", "token_resp")


class Scene:
    """A server with a listener of each kind, and certificates."""

    def __init__(self, weir):
        self.weir = weir
        self.certificates = rig.Certificates(weir.folder)
        os.mkdir(weir.file("strangers"))
        self.strangers = rig.Certificates(weir.file("strangers"))
        with open(weir.file("token"), "w", encoding="utf-8") as file:
            file.write("the-readers-own-secret-of-32-bytes\n")
        os.chmod(weir.file("token"), 0o600)
        self.reserved = {name: rig.Port() for name in NAMES}
        self.ports = {name: port.number for name, port in self.reserved.items()}
        text = POLICY.format(c=self.certificates, token=weir.file("token"), **self.ports)
        self.server = Server(weir, text, env={"WEIR_TEST_TOKEN": SECRET})

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *arguments):
        self.server.__exit__(*arguments)
        for port in self.reserved.values():
            port.release()
        expect(self.server.process.returncode, 0)

    def curl(self, name, *options, path="/v1/status", scheme="https"):
        """(curl's exit code, the status, what it says)."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", str(rig.PATIENCE), "-w", "\n%{http_code}", "--cacert",
             self.certificates.authority, *options, f"{scheme}://127.0.0.1:{self.ports[name]}{path}"],
            capture_output=True, text=True, check=False)
        return done.returncode, int(done.stdout.rsplit("\n", 1)[1] or 0), done.stdout + done.stderr

    def redis(self, name, *words, tls=(), environment=None):
        """What redis-cli prints."""
        options = ["--tls", "--cacert", self.certificates.authority, *tls] if tls is not None else []
        done = subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(self.ports[name]), *options, *words],
                              capture_output=True, text=True, timeout=rig.PATIENCE, check=False,
                              env={**os.environ, **(environment or {})})
        return done.stdout + done.stderr

    @property
    def shown(self):
        return ["--cert", self.certificates.client, "--key", self.certificates.client_key]

    @property
    def strange(self):
        return ["--cert", self.strangers.client, "--key", self.strangers.client_key]


def test_http_over_tls(weir):
    with Scene(weir) as scene:
        for version in ("--tlsv1.2", "--tlsv1.3"):
            code, status, said = scene.curl("https", version, "--http1.1")
            expect((code, status), (0, 200), said)
        # By the name too; and as whoever offers HTTP/2 first gets HTTP/1.1.
        code, status, said = scene.curl("https", "--http2", "-v")
        expect((code, status), (0, 200), said)
        expect("http/1.1" in said.lower(), True, said)
        # Nobody that speaks in clear is answered, and the next one is.
        code, _, said = scene.curl("https", scheme="http")
        expect(code != 0, True, said)
        # A client that does not trust us.
        code, _, said = scene.curl("https", "--cacert", scene.strangers.authority)
        expect(code, 60, said)
        expect(scene.curl("https")[:2], (0, 200))


def test_many_requests_over_one_connection(weir):
    with Scene(weir) as scene:
        url = f"https://127.0.0.1:{scene.ports['https']}/healthz"
        done = subprocess.run(["curl", "-sS", "--cacert", scene.certificates.authority, "-w", "%{num_connects}\n",
                               "-o", "/dev/null", *[url] * 50], capture_output=True, text=True, check=False,
                              timeout=rig.PATIENCE)
        # -o is the first's alone; the others' bodies stand before their counts.
        counts = [line[-1] for line in done.stdout.splitlines() if line[-1:].isdigit()]
        expect((done.returncode, counts), (0, ["1"] + ["0"] * 49), done.stdout + done.stderr)


def test_an_answer_of_many_records(weir):
    with Scene(weir) as scene:
        code, status, said = scene.curl("https", path="/openapi.json")
        expect((code, status, len(said) > 20000), (0, 200, True), said[:200])


def test_resp_over_tls(weir):
    with Scene(weir) as scene:
        expect(scene.redis("resps", "PING"), "PONG\n")
        answer = scene.redis("resps", "CL.THROTTLE", "a", "4", "5", "86400").split()
        expect(answer[:3], ["0", "5", "4"])
        pipe = subprocess.run(["redis-cli", "-h", "127.0.0.1", "-p", str(scene.ports["resps"]), "--tls", "--cacert",
                               scene.certificates.authority], input="PING\n" * 2000, capture_output=True, text=True,
                              timeout=rig.PATIENCE, check=False)
        expect(pipe.stdout, "PONG\n" * 2000)
        expect("PONG" in scene.redis("resps", "PING", tls=None), False)


def test_clients_show_a_certificate(weir):
    with Scene(weir) as scene:
        expect(scene.curl("mutual", *scene.shown)[:2], (0, 200))
        code, status, said = scene.curl("mutual")
        expect((code != 0, status), (True, 0), said)
        code, status, said = scene.curl("mutual", *scene.strange)
        expect((code != 0, status), (True, 0), said)
        expect(scene.redis("mutual_resp", "PING", tls=scene.shown), "PONG\n")
        expect("PONG" in scene.redis("mutual_resp", "PING"), False)
        expect("PONG" in scene.redis("mutual_resp", "PING", tls=scene.strange), False)
        expect(scene.curl("mutual", *scene.shown)[:2], (0, 200))


def test_tokens_have_rights(weir):
    with Scene(weir) as scene:
        def ask(path, token, *options):
            header = ["-H", f"Authorization: Bearer {token}"] if token else []
            return scene.curl("tokens", *header, *options, path=path, scheme="http")[1]

        body = ["-H", "Content-Type: application/json", "-d", '{"attributes": {"ip": "192.0.2.1"}}']
        reader = "the-readers-own-secret-of-32-bytes"
        expect(ask("/v1/status", None), 401)
        expect(ask("/v1/status", "not-a-secret-of-anybody"), 401)
        expect(ask("/v1/status", SECRET[:-1]), 401)
        expect(ask("/v1/status", reader), 200)
        expect(ask("/v1/check", reader, *body), 403)
        expect(ask("/v1/check", SECRET, *body), 200)
        expect(ask("/v1/status", SECRET), 403)
        expect(ask("/v1/reset", SECRET, *body), 403)
        expect(ask("/healthz", None), 200)


def test_auth_over_resp(weir):
    with Scene(weir) as scene:
        throttle = ("CL.THROTTLE", "b", "4", "5", "86400")
        expect(scene.redis("token_resp", *throttle, tls=None)[:6], "NOAUTH")
        expect(scene.redis("token_resp", *throttle, tls=None, environment={"REDISCLI_AUTH": SECRET}).split()[:3],
               ["0", "5", "4"])
        wrong = scene.redis("token_resp", *throttle, tls=None, environment={"REDISCLI_AUTH": "wrong"})
        expect("WRONGPASS" in wrong and "NOAUTH" in wrong, True, wrong)
        right = scene.redis("token_resp", "--user", "asker", "--pass", SECRET, "--no-auth-warning", *throttle, tls=None)
        expect(right.split()[:3], ["0", "5", "3"])


def test_nothing_secret_is_logged(weir):
    with Scene(weir) as scene:
        scene.curl("tokens", "-H", f"Authorization: Bearer {SECRET}x", scheme="http")
        scene.redis("token_resp", "PING", tls=None, environment={"REDISCLI_AUTH": SECRET + "x"})
        scene.server.process.send_signal(signal.SIGHUP)
        status = scene.curl("https")[2]
        metrics = scene.curl("https", path="/metrics")[2]
    with open(weir.file("weir.log"), encoding="utf-8") as file:
        log = file.read()
    for text in (log, status, metrics):
        expect(SECRET in text or "readers-own" in text, False, text)


def test_a_secret_that_is_changed_is_no_more(weir):
    with Scene(weir) as scene:
        def ask(secret):
            return scene.curl("tokens", "-H", f"Authorization: Bearer {secret}", scheme="http")[1]

        former, latter = "the-readers-own-secret-of-32-bytes", "the-readers-other-secret-of-now"
        kept = http.client.HTTPConnection("127.0.0.1", scene.ports["tokens"], timeout=rig.PATIENCE)
        kept.request("GET", "/v1/status", headers={"Authorization": "Bearer " + former})
        expect(kept.getresponse().read() != b"", True)
        others = http.client.HTTPConnection("127.0.0.1", scene.server.port.number, timeout=rig.PATIENCE)
        others.request("GET", "/v1/status")
        others.getresponse().read()
        with open(weir.file("token"), "w", encoding="utf-8") as file:
            file.write(latter + "\n")
        rig.wait(lambda: ask(latter) == 200, "the new secret is known")  # by each worker that is asked
        expect(kept.sock.recv(1), b"")  # who came with the former is to come again
        rig.wait(lambda: all(ask(former) == 401 for _ in range(16)), "the former secret is forgotten")
        rig.wait(lambda: all(ask(latter) == 200 for _ in range(16)), "every worker knows the new one")
        socket = others.sock
        others.request("GET", "/v1/status")
        status = json.loads(others.getresponse().read())
        expect((status["policy"]["version"], others.sock is socket), (2, True))  # of no listener that changed
        kept.close()
        others.close()


def test_who_has_logged_in_over_resp_is_to_do_so_again(weir):
    with Scene(weir) as scene:
        with rig.Connection(scene.ports["token_resp"], SECRET) as connection, \
                rig.Connection(scene.ports["token_resp"], SECRET) as other:
            expect(connection.command("PING"), "PONG")
            path = weir.file("weir.yaml")
            with open(path, encoding="utf-8") as file:
                text = file.read()
            # What changes nothing there ends nothing.
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace("100/day", "200/day"))
            rig.wait(lambda: '"version":2' in scene.curl("https")[2], "a version is taken on")
            expect((connection.command("PING"), other.command("PING")), ("PONG", "PONG"))
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace("name: asker, env: WEIR_TEST_TOKEN, rights: [decide]",
                                        "name: asker, env: WEIR_TEST_TOKEN, rights: [read]"))
            expect(connection.socket.recv(1), b"")
            expect(other.socket.recv(1), b"")


def expect_refused(weir, text, said):
    with open(weir.file("bad.yaml"), "w", encoding="utf-8") as file:
        file.write("listen:\n" + text + "rules: [{name: a, key: ip, limit: 1/s}]\n")
    done = weir.run("serve", "--config", weir.file("bad.yaml"))
    expect((done.code, said in done.err), (2, True), done.err)


def test_what_can_not_be_is_refused_at_the_start(weir):
    c = rig.Certificates(weir.folder)
    listener = "  - http: 127.0.0.1:0\n    tls: {certificate: %s, key: %s}\n"
    expect_refused(weir, listener % (c.server, c.client_key), "key values mismatch")
    expect_refused(weir, listener % ("/nowhere.pem", c.server_key), "/nowhere.pem")
    expect_refused(weir, "  - http: 0.0.0.0:0\n", "not only for this machine")


if __name__ == "__main__":
    main(globals())
