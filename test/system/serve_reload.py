#!/usr/bin/env python3
"""serve_reload - a running server takes on a changed policy: by a signal and by itself, whole or not at all, with what
every key has used; and it ends without dropping what is under way."""

import os
import signal
import socket
import subprocess
import sys

from http_support import Server
from cli_support import expect, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402

LISTEN = "listen:\n  - http: 127.0.0.1:{http}\n"


def rule(limit, name="login"):
    return f"rules:\n  - name: {name}\n    key: ip\n    limit: {limit}\n"


class Policy:
    """A running server, the file that it reads, and what it says of it."""

    def __init__(self, weir, head, limit):
        self.weir = weir
        self.head = head
        self.server = Server(weir, head + rule(limit))
        self.path = weir.file("weir.yaml")

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *arguments):
        self.server.__exit__(*arguments)
        expect(self.server.process.returncode, 0)

    def text(self, rules):
        return (self.head + rules).replace("{http}", str(self.server.port.number))

    def write(self, rules):
        """As careful editors do it: another file, moved over this one."""
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(self.text(rules))
        os.rename(self.path + ".new", self.path)

    def hang_up(self):
        self.server.process.send_signal(signal.SIGHUP)

    def status(self):
        return self.server.ask("GET", "/v1/status").json()["policy"]

    def metric(self, name):
        lines = self.server.ask("GET", "/metrics").body.splitlines()
        return float(next(line.split(" ")[1] for line in lines if line.startswith(name + " ")))

    def wait_version(self, version):
        rig.wait(lambda: self.status()["version"] == version, f"version {version} is in force")

    def admitted(self, times, address="192.0.2.1"):
        """How many of so many checks are admitted, each of a connection of its own, so that all workers answer."""
        body = {"attributes": {"ip": address}}
        return sum(self.server.post("/v1/check", body).json()["allowed"] for _ in range(times))


# ---- Taking on what was changed -----------------------------------------------------------------------------------


def test_a_signal_takes_on_a_limit_and_keys_keep_what_they_used(weir):
    with Policy(weir, LISTEN + "watch: false\n", "3/day fixed-window") as policy:
        expect(policy.admitted(8), 3)
        policy.write(rule("5/day fixed-window"))
        policy.hang_up()
        policy.wait_version(2)
        expect(policy.admitted(8), 2)
        policy.write(rule("4/day fixed-window"))
        policy.hang_up()
        policy.wait_version(3)
        expect(policy.admitted(8), 0)
        expect(policy.admitted(8, "192.0.2.2"), 4)


def test_a_changed_file_is_taken_on_by_itself(weir):
    with Policy(weir, LISTEN, "3/day fixed-window") as policy:
        expect(policy.admitted(4), 3)
        policy.write(rule("5/day fixed-window"))
        policy.wait_version(2)
        expect(policy.admitted(4), 2)
        with open(policy.path, "w", encoding="utf-8") as file:  # in place
            file.write(policy.text(rule("6/day fixed-window")))
        policy.wait_version(3)
        expect(policy.admitted(4), 1)


def test_what_says_the_same_is_no_new_version(weir):
    with Policy(weir, LISTEN, "3/day fixed-window") as policy:
        policy.write(rule("3/day fixed-window"))
        policy.hang_up()
        policy.write(rule("4/day fixed-window"))
        policy.hang_up()
        policy.wait_version(2)
        expect(policy.metric("weir_policy_version"), 2.0)


def test_a_bad_file_changes_nothing_and_is_told(weir):
    with Policy(weir, LISTEN, "3/day fixed-window") as policy:
        expect(policy.admitted(2), 2)
        # A good rule beside a bad one: neither is taken on.
        policy.write(rule("100/day fixed-window") + "  - name: other\n    key: ip\n    limit: nonsense\n")
        rig.wait(lambda: policy.status()["error"], "the error is told")
        status = policy.status()
        expect(status["version"], 1)
        expect(f"{policy.path}:9:12: error: limit: " in status["error"], True, status["error"])
        expect(policy.metric("weir_policy_last_reload_successful"), 0.0)
        expect(policy.metric("weir_policy_reloads_failed_total") >= 1, True)
        expect(policy.admitted(2), 1)
        policy.write(rule("4/day fixed-window"))
        policy.wait_version(2)
        expect(policy.status()["error"], None)
        expect(policy.metric("weir_policy_last_reload_successful"), 1.0)
        expect(policy.admitted(2), 1)


def test_a_file_that_is_gone_changes_nothing(weir):
    with Policy(weir, LISTEN, "3/day fixed-window") as policy:
        os.rename(policy.path, policy.path + ".away")
        rig.wait(lambda: policy.status()["error"], "the error is told")
        expect(policy.admitted(4), 3)
        os.rename(policy.path + ".away", policy.path)
        rig.wait(lambda: policy.status()["error"] is None, "all is well again")
        expect(policy.status()["version"], 1)


def test_only_a_restart_takes_on_another_listener(weir):
    with Policy(weir, LISTEN, "3/day fixed-window") as policy:
        policy.head = LISTEN + "  - resp: 127.0.0.1:0\n"
        policy.write(rule("5/day fixed-window"))
        policy.wait_version(2)
        expect("listen" in policy.status()["needs_restart"], True)
        expect(policy.admitted(8), 5)


def test_files_that_are_included_are_watched_and_those_to_come(weir):
    os.mkdir(weir.file("rules.d"))
    with Policy(weir, "include: [rules.d/*.yaml]\n" + LISTEN, "100/day") as policy:
        def put(name, text):
            with open(weir.file(f"rules.d/{name}"), "w", encoding="utf-8") as file:
                file.write(text)

        put("a.yaml", rule("2/day fixed-window", "a"))
        policy.wait_version(2)
        expect(policy.admitted(4), 2)
        put("a.yaml", rule("3/day fixed-window", "a"))
        policy.wait_version(3)
        expect(policy.admitted(4), 1)
        put("b.yaml", rule("nonsense", "b"))
        rig.wait(lambda: policy.status()["error"], "the error is told")
        put("b.yaml", rule("4/day fixed-window", "b"))
        policy.wait_version(4)
        expect(policy.admitted(4, "192.0.2.9"), 3)
        os.remove(weir.file("rules.d/a.yaml"))
        policy.wait_version(5)
        expect(policy.admitted(4, "192.0.2.10"), 4)


def test_a_mounted_configuration_is_taken_on_when_it_is_swapped(weir):
    mount = weir.file("mount")

    def swap(number, text):
        """As the kubelet does it."""
        os.makedirs(os.path.join(mount, f"..{number}"))
        with open(os.path.join(mount, f"..{number}", "weir.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
        os.symlink(f"..{number}", os.path.join(mount, "..data_tmp"))
        os.rename(os.path.join(mount, "..data_tmp"), os.path.join(mount, "..data"))

    with Policy(weir, LISTEN, "3/day fixed-window") as policy:
        swap(1, policy.text(rule("4/day fixed-window")))
        os.symlink("..data/weir.yaml", os.path.join(mount, "weir.yaml"))
        os.symlink(os.path.join(mount, "weir.yaml"), policy.path + ".link")
        os.rename(policy.path + ".link", policy.path)
        policy.wait_version(2)
        swap(2, policy.text(rule("5/day fixed-window")))
        policy.wait_version(3)
        swap(3, policy.text(rule("6/day fixed-window")))
        policy.wait_version(4)
        expect(policy.admitted(8), 6)


def test_a_signal_may_come_at_once(weir):
    for number in (signal.SIGHUP, signal.SIGTERM) * 4:
        with Server(weir, LISTEN + rule("1/s")) as server:
            server.process.send_signal(number)
            if number == signal.SIGHUP:
                expect(server.ask("GET", "/healthz").status, 200)
        expect(server.process.returncode, 0)


# ---- The end ------------------------------------------------------------------------------------------------------


def test_what_is_under_way_is_answered_before_the_end(weir):
    head = LISTEN + "caps: {hold: 20s, drain: 20s}\n"
    with Policy(weir, head, "1/s leaky-bucket burst 3") as policy:
        port = policy.server.port.number
        request = (b"GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as held, \
                socket.create_connection(("127.0.0.1", port)) as idle:
            held.settimeout(rig.PATIENCE)
            idle.settimeout(rig.PATIENCE)
            held.sendall(request * 2)  # the second waits for a second
            answer = held.recv(65536)
            expect(answer.startswith(b"HTTP/1.1 200 "), True, answer)
            policy.server.process.terminate()
            expect(idle.recv(1), b"")  # it had asked for nothing
            while answer.count(b"HTTP/1.1 200 ") < 2:
                more = held.recv(65536)
                expect(more != b"", True, answer)
                answer += more
            expect(held.recv(1), b"")
        expect(policy.server.process.wait(timeout=rig.PATIENCE), 0)
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        raise AssertionError("somebody still listens")


def test_what_can_not_be_served_is_said_at_once(weir):
    for text, said in ((LISTEN + rule("nonsense"), ":6:12: error: limit"),
                       (LISTEN + "store: shm:/nowhere/at/all\n" + rule("1/s"), "can't open the store")):
        with open(weir.file("weir.yaml"), "w", encoding="utf-8") as file:
            file.write(text.replace("{http}", "0"))
        done = weir.run("serve", "--config", weir.file("weir.yaml"))
        expect((done.code, said in done.err), (2, True), done.err)


# ---- Unix sockets -------------------------------------------------------------------------------------------------


def ask_at(path):
    return subprocess.run(["curl", "-sS", "--max-time", str(rig.PATIENCE), "--unix-socket", path, "http://a/readyz"],
                          capture_output=True, check=False).returncode == 0


def test_a_unix_socket_has_its_mode_and_takes_over_from_the_dead_alone(weir):
    path = weir.file("http.sock")
    text = (LISTEN + "  - {http: 'unix:%s', mode: '0600'}\n" % path) + rule("1/s")
    server = Server(weir, text)
    with server:
        expect(oct(os.stat(path).st_mode & 0o777), "0o600")
        expect(ask_at(path), True)
        other = rig.Port()
        with open(weir.file("other.yaml"), "w", encoding="utf-8") as file:
            file.write(text.replace("{http}", str(other.number)))
        done = weir.run("serve", "--config", weir.file("other.yaml"))
        expect((done.code, "somebody serves it" in done.err), (2, True), done.err)
        expect(ask_at(path), True)  # it goes on
        server.process.kill()
        server.process.wait()
        other.release()
    expect(os.path.exists(path), True)
    with Server(weir, text):
        expect(ask_at(path), True)
    expect(os.path.exists(path), False)
    with open(path, "w", encoding="utf-8") as file:
        file.write("mine")
    done = weir.run("serve", "--config", weir.file("weir.yaml"))
    expect((done.code, "is no socket" in done.err), (2, True), done.err)
    with open(path, encoding="utf-8") as file:
        expect(file.read(), "mine")


if __name__ == "__main__":
    main(globals())
