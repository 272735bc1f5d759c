#!/usr/bin/env python3
"""resp_clients - real clients of Redis at a real server: redis-py, node-redis, ioredis, go-redis, hiredis, redis-cli,
redis-benchmark; and docs/manual/resp.md, whose snippets do what they say.

The clients are those of tools/clients, which is run first; hiredis's is the second argument."""

import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402
from cli_support import ROOT, expect, main  # noqa: E402

CLIENTS = os.environ.get("WEIR_CLIENTS", os.path.join(ROOT, "build", "clients"))
PYTHON = os.path.join(CLIENTS, "python", "root")
NODE = os.path.join(CLIENTS, "node", "node_modules")
TOKEN = "a-token-of-tests-0"

POLICY = """\
workers: 1
log: {{denials: 0}}
listen:
  - resp: 127.0.0.1:{port}
    tokens:
      - name: tests
        env: TOKEN
        rights: [{rights}]
rules:
  - name: all
    key: [ip]
    limit: 100/d
"""

DAY_US = 86400 * 1000000
THROTTLE = [[0, 3, 2, -1, 86400], [0, 3, 1, -1, 172800], [0, 3, 0, -1, 259200], [1, 3, 0, 86400, 259200]]
CHECK = {"allowed": True, "limit": 100, "remaining": 99, "retry_after_us": 0, "reset_after_us": DAY_US // 100,
         "delay_us": 0, "rule": "all", "reason": "limit", "shadow": []}
ERROR = "Cell error: Store error: Couldn't parse as integer: x"


class Server:
    """weir serve with a RESP listener; as a context it ends with it."""

    def __init__(self, weir, policy=POLICY, rights="decide, read", env=None):
        self.port = rig.Port()
        self.number = self.port.number
        with open(weir.file("weir.yaml"), "w", encoding="utf-8") as file:
            file.write(policy.format(port=self.number, rights=rights) if policy is POLICY
                       else policy.replace("6380", str(self.number)))
        self.log = open(weir.file("log"), "wb")
        self.process = weir.start("serve", "--config", weir.file("weir.yaml"), stdout=self.log, stderr=self.log,
                                  env=env or {"TOKEN": TOKEN})

    def __enter__(self):
        rig.wait(self.listens, "the server listens")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(timeout=rig.PATIENCE)
        self.log.close()
        self.port.release()
        expect(code, 0, "the server's exit code")

    def listens(self):
        if self.process.poll() is not None:
            with open(self.log.name, encoding="utf-8") as log:
                raise ChildProcessError(log.read())
        try:
            rig.Connection(self.number).close()
            return True
        except OSError:
            return False


def run(*arguments, env=None, text=None):
    done = subprocess.run([str(word) for word in arguments], capture_output=True, text=True, timeout=100, check=False,
                          input=text, env={**os.environ, **(env or {})})
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def expect_said(weir, protocol, *arguments, env=None):
    """A client of test/clients is answered what all of them are."""
    with Server(weir) as server:
        said = json.loads(run(*(server.number if word == "PORT" else word for word in arguments), env=env))
    expect(said["ping"], "PONG")
    expect(said["throttle"], THROTTLE)
    if protocol == 3:
        expect(said["check"], CHECK)
    else:
        expect(said["check"], [1 if value is True else value for value in CHECK.values()])
    expect(said["allowed"], 50, "of a pipeline of 100")
    # Libraries that take the first word for a code leave it out.
    assert said["error"] in (ERROR, ERROR.split(" ", 1)[1]), said["error"]


def client(*path):
    return os.path.join(ROOT, "test", "clients", *path)


def test_redis_py(weir):
    for protocol in (2, 3):
        expect_said(weir, protocol, "python3", client("python", "client.py"), "PORT", TOKEN, protocol,
                    env={"PYTHONPATH": PYTHON})


def test_node_redis(weir):
    for protocol in (2, 3):
        expect_said(weir, protocol, "node", client("node", "client.js"), "redis", "PORT", TOKEN, protocol,
                    env={"NODE_PATH": NODE})


def test_ioredis(weir):
    expect_said(weir, 2, "node", client("node", "client.js"), "ioredis", "PORT", TOKEN, 2, env={"NODE_PATH": NODE})


def test_go_redis(weir):
    for protocol in (2, 3):
        expect_said(weir, protocol, os.path.join(CLIENTS, "go", "client"), "PORT", TOKEN, protocol)


def test_hiredis(weir):
    expect_said(weir, 2, sys.argv[2], "PORT", TOKEN)


def test_redis_cli(weir):
    with Server(weir) as server:
        def cli(*words, text=None):
            return run("redis-cli", "-p", server.number, *words, env={"REDISCLI_AUTH": TOKEN}, text=text)
        expect(cli("PING"), "PONG\n")
        expect(cli("CL.THROTTLE", "k", 2, 1, 86400), "0\n3\n2\n-1\n86400\n")
        expect(cli("-3", "WEIR.CHECK", "ATTRS", 1, "ip", "k").split("\n")[0], "allowed (true)")
        expect(cli(text="PING\nECHO 'a b'\nCL.THROTTLE k 2 1 86400\n"), "PONG\na b\n0\n3\n1\n-1\n172800\n")
        assert "unknown command 'GET'" in cli("GET", "k")
        # What is written to it raw, at once, and answered: 1000 commands.
        many = "".join("*5\r\n$11\r\nCL.THROTTLE\r\n$1\r\nm\r\n$2\r\n99\r\n$1\r\n1\r\n$5\r\n86400\r\n" for _ in range(1000))
        assert "errors: 0, replies: 1000" in cli("--pipe", text=many), "redis-cli --pipe"
        assert "server_name:weir" in cli("INFO", "server")


def test_redis_benchmark(weir):
    """Also with 64 requests ahead of their answers, on 50 connections."""
    with Server(weir) as server:
        for depth in (1, 64):
            said = run("redis-benchmark", "-p", server.number, "-a", TOKEN, "-n", 20000, "-P", depth, "-q",
                       "CL.THROTTLE", "key:__rand_int__", 15, 30, 60)
            assert "requests per second" in said and "rror" not in said.replace("--no-auth-warning", ""), said
        said = run("redis-benchmark", "-p", server.number, "-a", TOKEN, "-n", 20000, "-P", 64, "-q", "-t", "ping")
        assert said.count("requests per second") == 2, said
        with rig.Connection(server.number, password=TOKEN) as connection:
            expect(connection.command("CL.THROTTLE", "after", 0, 1, 86400), [0, 1, 0, -1, 86400])


def test_a_peer_that_takes_nothing_is_served_when_it_does(weir):
    """Many more answers than it may leave: it is not read meanwhile, and all come when it reads."""
    count = 60000
    word = b"*2\r\n$4\r\nPING\r\n$1000\r\n" + b"x" * 1000 + b"\r\n"
    with Server(weir) as server, rig.Connection(server.number, password=TOKEN) as connection:
        connection.socket.settimeout(0.5)
        data = memoryview(word * count)
        sent = 0
        try:
            while sent < len(data):
                sent += connection.socket.send(data[sent:])
        except TimeoutError:
            pass
        assert sent < len(data), "it was all taken, and nothing was read"
        connection.socket.settimeout(rig.PATIENCE)
        for _ in range(sent // len(word)):
            expect(len(connection.receive()), 1000)


def page(kind):
    with open(os.path.join(ROOT, "docs", "manual", "resp.md"), encoding="utf-8") as file:
        found = re.findall(rf"^```{kind}\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    assert found, kind
    return found


def test_the_manual(weir):
    env = {"SHOP_TOKEN": TOKEN}
    with Server(weir, page("yaml")[0], env=env) as server:
        def placed(text):
            return text.replace("6380", str(server.number))
        for part in re.split(r"^\$ ", page("console")[0], flags=re.MULTILINE)[1:]:
            command, answer = part.split("\n", 1)
            words = placed(command).split()
            # As on a terminal, but for what depends on how long it took.
            said = run(words[0], "--no-raw", *words[1:], env={"REDISCLI_AUTH": TOKEN})
            expect(said, answer, command)
        for text in page("python"):
            run("python3", "-c", f"token = {TOKEN!r}\n{placed(text)}assert (limited, limit, remaining) == (0, 16, 15)\n"
                "assert allowed == 1 and rest[5] == 'login' or rest[5] == b'login', rest\n", env={"PYTHONPATH": PYTHON})
        for text in page("js"):
            run("node", "-e", f"const token = {TOKEN!r};\nasync function main() {{\n{placed(text)}\n"
                "if (limited !== 0 || limit !== 16 || remaining !== 15 || retryAfter !== -1) process.exit(1);\n"
                "weir.quit();\n}\nmain();\n", env={"NODE_PATH": NODE})


if __name__ == "__main__":
    subprocess.run([os.path.join(ROOT, "tools", "clients")], check=True, stdout=sys.stderr)
    main(globals())
