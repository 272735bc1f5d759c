#!/usr/bin/env python3
"""serve_systemd - a running server tells systemd how things stand, and serves the sockets that it hands over."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time

from http_support import ask, end_with_the_test
from cli_support import expect, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402

RULES = "rules:\n  - {name: login, key: ip, limit: 100/day}\n"


class Systemd:
    """What systemd has: a socket that is told things."""

    def __init__(self, weir):
        self.path = weir.file("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(rig.PATIENCE)

    def told(self):
        """The next message, as a mapping; signs of life apart."""
        while True:
            lines = self.socket.recv(4096).decode().splitlines()
            message = dict(line.split("=", 1) for line in lines)
            if message != {"WATCHDOG": "1"}:
                return message

    def alive(self):
        while dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines()) != {"WATCHDOG": "1"}:
            pass


def write(weir, text):
    with open(weir.file("weir.yaml"), "w", encoding="utf-8") as file:
        file.write(text)
    return weir.file("weir.yaml")


def test_systemd_is_told_of_every_stage(weir):
    port = rig.Port()
    listen = f"watch: false\nlisten:\n  - http: 127.0.0.1:{port.number}\n"
    systemd = Systemd(weir)
    with open(weir.file("log"), "wb") as log:
        process = weir.start("serve", "--config", write(weir, listen + RULES), stdout=log, stderr=log,
                             env={"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "200000"},
                             preexec_fn=end_with_the_test)
    try:
        ready = systemd.told()
        expect((ready["READY"], "STATUS" in ready), ("1", True))
        expect(ask(port.number, "GET", "/readyz").status, 200)  # it is as it says
        systemd.alive()
        systemd.alive()
        write(weir, listen + RULES.replace("100", "200"))
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        process.send_signal(signal.SIGHUP)
        reloading = systemd.told()
        expect((reloading["RELOADING"], int(reloading["MONOTONIC_USEC"]) >= before), ("1", True))
        expect(systemd.told()["READY"], "1")
        write(weir, "nonsense")
        process.send_signal(signal.SIGHUP)
        expect(systemd.told()["RELOADING"], "1")
        expect(systemd.told()["READY"], "1")  # the former policy is served
        process.terminate()
        expect(systemd.told(), {"STOPPING": "1"})
        expect(process.wait(timeout=rig.PATIENCE), 0)
    finally:
        process.kill()
        process.wait()
        port.release()


class Activated:
    """weir, run by systemd's own program on the first connection to one of the sockets that it hands over."""

    def __init__(self, weir, config, names):
        self.ports = [rig.Port() for _ in names]
        self.log = weir.file("log")
        sockets = [word for port in self.ports for word in ("-l", f"127.0.0.1:{port.number}")]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["systemd-socket-activate", *sockets, f"--fdname={':'.join(names)}", weir.path, "serve", "--config",
                 config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=weir.environment({}),
                preexec_fn=end_with_the_test)

    def __enter__(self):
        rig.wait(self._listens, "systemd listens")
        return self

    def _listens(self):
        with open(self.log, encoding="utf-8") as log:
            return len(re.findall("Listening on", log.read())) == len(self.ports)

    def said(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=rig.PATIENCE)
        for port in self.ports:
            port.release()


def test_sockets_that_are_handed_over_are_served(weir):
    config = write(weir, "listen:\n  - http: systemd:http\n  - resp: systemd:resp\n" + RULES)
    with Activated(weir, config, ["resp", "http"]) as activated:
        resp, http_port = (port.number for port in activated.ports)
        # What connects before the server is there is answered by it.
        expect(ask(http_port, "GET", "/readyz").status, 200)
        for _ in range(8):  # each worker in turn
            with rig.Connection(resp) as connection:
                expect(connection.command("PING"), "PONG")
            expect(ask(http_port, "GET", "/healthz").status, 200)
        with open(f"/proc/{activated.process.pid}/environ", "rb") as file:
            expect(b"LISTEN_FDNAMES=resp:http" in file.read(), True)
    expect(activated.process.returncode, 0)


def test_a_socket_that_is_not_handed_over_is_missed(weir):
    config = write(weir, "listen:\n  - http: systemd:web\n" + RULES)
    with Activated(weir, config, ["http"]) as activated:
        try:
            ask(activated.ports[0].number, "GET", "/readyz")
        except (OSError, http.client.HTTPException):
            pass
        expect(activated.process.wait(timeout=rig.PATIENCE), 2)
        expect("systemd hands over no socket web, but: http" in activated.said(), True, activated.said())


if __name__ == "__main__":
    main(globals())
