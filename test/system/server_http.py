#!/usr/bin/env python3
"""server_http - the HTTP door of a real server: what docs/manual/http.md shows is what curl gets, and what takes a
connection, a clock or a socket file to see."""

import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cli_support import ROOT, expect, main  # noqa: E402
from http_support import Server, rig  # noqa: E402

PAGE = os.path.join(ROOT, "docs", "manual", "http.md")


def blocks(kind, start=""):
    with open(PAGE, encoding="utf-8") as page:
        return re.findall(rf"^```{kind}\n({re.escape(start)}.*?)^```$", page.read(), re.M | re.S)


def policy(start):
    found = blocks("yaml", start)
    expect(len(found), 1)
    return found[0].replace("127.0.0.1:8080", "127.0.0.1:{http}")


def curl(*arguments, code=0):
    done = subprocess.run(["curl", "-sS", "--max-time", "30", *arguments], capture_output=True, text=True, check=False)
    expect((done.returncode, done.stderr), (code, ""))
    return done.stdout


def test_the_manuals_commands_answer_as_it_says(weir):
    commands = [entry for block in blocks("console") for entry in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.M)]
    assert len(commands) >= 7, commands
    with Server(weir, policy("# weir.yaml")) as server:
        for command, shown in commands:
            done = subprocess.run(["sh", "-c", command.replace("127.0.0.1:8080", f"127.0.0.1:{server.port.number}")],
                                  capture_output=True, text=True, check=False, timeout=60)
            expect((command, done.stdout.replace("\r", "")), (command, shown))


def test_the_manuals_tokens_have_their_rights(weir):
    env = {"WEIR_TOKEN": "token-of-the-application", "WEIR_READ_TOKEN": "token-of-prometheus"}
    with Server(weir, policy("# with tokens"), env=env) as server:
        for path, token, status in (("/v1/forward-auth", None, 401), ("/v1/forward-auth", env["WEIR_TOKEN"], 200),
                                    ("/v1/forward-auth", env["WEIR_READ_TOKEN"], 403), ("/metrics", None, 401),
                                    ("/metrics", env["WEIR_READ_TOKEN"], 200), ("/metrics", env["WEIR_TOKEN"], 403),
                                    ("/metrics", "token-of-nobody-here", 401), ("/healthz", None, 200)):
            answer = server.ask("GET", path, {"Authorization": f"Bearer {token}"} if token else {})
            expect((path, token, answer.status), (path, token, status))
            expect("WWW-Authenticate" in answer.headers, status == 401)


def test_curl_keeps_connections_and_sends_as_it_likes(weir):
    body = '{"limit": "100/day", "key": "' + "k" * 3000 + '"}'
    with Server(weir, policy("# weir.yaml")) as server:
        url = f"http://127.0.0.1:{server.port.number}"
        # One connection for all of them.
        counts = curl(url + "/healthz", url + "/readyz", url + "/v1/status", "-w", "%{num_connects} ", "-o", "/dev/null",
                      "-o", "/dev/null", "-o", "/dev/null")
        expect(counts, "1 0 0 ")
        for more in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"], ["--http1.0"]):
            answer = curl(url + "/v1/check", "-H", "Content-Type: application/json", "-d", body, *more)
            assert '"allowed":true' in answer, answer
        assert '"remaining":96' in curl(url + "/v1/peek", "-H", "Content-Type: application/json", "-d", body)
        expect(curl("-I", url + "/healthz").splitlines()[:2], ["HTTP/1.1 200 OK", "Content-Length: 3"])
        expect(curl("-X", "PUT", url + "/v1/check", "-o", "/dev/null", "-w", "%{http_code} %header{allow}"), "405 POST")


def test_a_unix_sockets_peer_is_a_trusted_proxy(weir):
    path = weir.file("weir.sock")
    text = policy("# weir.yaml").replace("rules:", f"  - http: unix:{path}\nrules:")
    with Server(weir, text):
        codes = [curl("--unix-socket", path, "http://weir/v1/forward-auth", "-H", "X-Forwarded-Uri: /login", "-H",
                      "X-Forwarded-For: 192.0.2.1", "-o", "/dev/null", "-w", "%{http_code}") for _ in range(4)]
        expect(codes, ["200", "200", "200", "429"])


def test_a_stranger_is_not_believed(weir):
    headers = {"X-Forwarded-Uri": "/login", "X-Forwarded-For": "192.0.2.1"}
    with Server(weir, policy("# weir.yaml")) as server:
        expect([server.ask("GET", "/v1/forward-auth", headers).status for _ in range(5)], [200] * 5)


def test_an_answer_is_held_until_its_turn(weir):
    text = """\
listen:
  - http: 127.0.0.1:{http}
rules: [{name: queue, key: ip, limit: 10/s burst 5 leaky-bucket}]
"""
    with Server(weir, text) as server:
        expect(server.ask("GET", "/v1/forward-auth").status, 200)
        began = time.monotonic()
        # Three at once on one connection: a tenth of a second apart, in order, none early.
        with socket.create_connection(("127.0.0.1", server.port.number), timeout=rig.PATIENCE) as connection:
            connection.sendall(b"GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
            said = b""
            while said.count(b"\r\n\r\n") < 3:
                said += connection.recv(65536)
        expect(said.count(b"HTTP/1.1 200 OK\r\n"), 3)
        assert time.monotonic() - began >= 0.15, "it was answered before its turn"


def test_it_answers_what_it_reads_before_it_closes(weir):
    with Server(weir, policy("# weir.yaml")) as server:
        with socket.create_connection(("127.0.0.1", server.port.number), timeout=rig.PATIENCE) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
            said = b""
            while part := connection.recv(65536):
                said += part
        expect(re.findall("HTTP/1.1 .*", said.decode().replace("\r", "")),
               ["HTTP/1.1 200 OK", "HTTP/1.1 400 Bad Request"])


main(globals())
