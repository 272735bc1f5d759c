#!/usr/bin/env python3
"""cli_top - `weir top`: once and live, on a real terminal, against servers that answer, lie, dawdle or are gone."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import socketserver
import struct
import sys
import termios
import threading
import time

from cli_support import expect, main

PATIENCE = 30

ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


def body(*rules, at="2026-11-23T22:00:00Z"):
    return json.dumps({"at": at, "newer": [{"x": [1]}], "top": [
        {"rule": rule, "more": None, "offenders": [
            {"key": key, "denied": denied, "error": error} for key, denied, error in offenders]}
        for rule, offenders in rules]}).encode()


USUAL = body(("login", [("203.0.113.9", 1234, 0), ("203.0.113.10", 250, 12)]), ("search", [("bot", 7, 0)]))


class Server:
    """Says `answer`, whole bytes, to whoever asks; keeps what was asked. As a context it ends with it."""

    def __init__(self, answer=None, path=None):
        self.answer = answer if answer is not None else self.ok(USUAL)
        self.asked = []
        self.hold = None
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                head = b""
                while b"\r\n\r\n" not in head:
                    part = self.request.recv(65536)
                    if not part:
                        return
                    head += part
                server.asked.append(head.decode())
                if server.hold:
                    server.hold.wait(PATIENCE)
                with contextlib.suppress(OSError):
                    self.request.sendall(server.answer)

        kind = socketserver.ThreadingUnixStreamServer if path else socketserver.ThreadingTCPServer
        self.listener = kind(path or ("127.0.0.1", 0), Handler)
        self.listener.daemon_threads = True
        self.url = f"unix:{path}" if path else "http://127.0.0.1:%d" % self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True).start()

    @staticmethod
    def ok(content, status="200 OK", more=""):
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{more}\r\n".encode() + content

    def say(self, *rules):
        self.answer = self.ok(body(*rules))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.hold:
            self.hold.set()
        self.listener.shutdown()
        self.listener.server_close()


def refuses(weir, *arguments, message, env=None):
    done = weir.run("top", *arguments, env=env)
    expect((done.code, done.out), (2, ""), arguments)
    expect(done.err, f"weir top: {message}\n", arguments)


# ---- Once ----------------------------------------------------------------------------------------------------------


TABLE = """\
         DENIED  RULE    KEY
          1,234  login   203.0.113.9
        238-250  login   203.0.113.10
              7  search  bot
"""


def test_a_table_where_the_output_is_no_terminal(weir):
    with Server() as server:
        done = weir.run("top", server.url)
        expect((done.code, done.out, done.err), (0, TABLE, ""))
        expect(server.asked, [f"GET /v1/top?count=10 HTTP/1.1\r\nHost: {server.url[7:]}\r\nAccept: application/json\r\n"
                              "Connection: close\r\n\r\n"])
        weir.run("top", server.url + "/", "--count", "1000")
        assert server.asked[1].startswith("GET /v1/top?count=1000 HTTP/1.1\r\n"), server.asked


def test_json(weir):
    with Server() as server:
        done = weir.run("top", "--json", server.url)
        expect((done.code, done.err), (0, ""))
        expect(done.objects(), [{"at": "2026-11-23T22:00:00Z", "top": [
            {"rule": "login", "offenders": [{"key": "203.0.113.9", "denied": 1234, "error": 0},
                                            {"key": "203.0.113.10", "denied": 250, "error": 12}]},
            {"rule": "search", "offenders": [{"key": "bot", "denied": 7, "error": 0}]}]}])
        server.say()
        expect(weir.run("top", "--json", server.url).objects(), [{"at": "2026-11-23T22:00:00Z", "top": []}])


def test_nobody_was_denied(weir):
    with Server(Server.ok(b'{"top":[]}')) as server:
        expect(weir.run("top", server.url).out, "Nobody was denied anything yet.\n")


def test_once_on_a_terminal(weir):
    with Server() as server:
        code, shown = weir.on_terminal("top", "--once", "--color=never", server.url)
        expect((code, shown), (0, TABLE))
        code, shown = weir.on_terminal("top", "--once", server.url)
        assert shown.startswith("\x1b[1m         DENIED"), shown


def test_a_unix_socket(weir):
    with Server(path=weir.file("socket")) as server:
        expect(weir.run("top", server.url).out, TABLE)
        assert "\r\nHost: localhost\r\n" in server.asked[0], server.asked


def test_tokens(weir):
    with open(weir.file("token"), "w", encoding="utf-8") as file:
        file.write("secret-of-a-file\nanother line\n")
    with Server() as server:
        weir.run("top", server.url, "--token-file", weir.file("token"), env={"WEIR_TOKEN": "not-this"})
        weir.run("top", server.url, "--token-env", "MY_TOKEN", env={"MY_TOKEN": "secret-of-mine", "WEIR_TOKEN": "no"})
        weir.run("top", server.url, env={"WEIR_TOKEN": "x" * 4096})
        expect([re.search(r"Authorization: Bearer (.*)\r\n", asked)[1] for asked in server.asked],
               ["secret-of-a-file", "secret-of-mine", "x" * 4096])
    refuses(weir, "--token-env", "MY_TOKEN", message="the environment variable MY_TOKEN is not set")
    for bad in ("", "a b", "a\nX-Header: b", "x" * 4097):
        refuses(weir, message="the environment variable WEIR_TOKEN holds no token", env={"WEIR_TOKEN": bad})
    with open(weir.file("empty"), "wb"):
        pass
    refuses(weir, "--token-file", weir.file("empty"),
            message=f"--token-file: {weir.file('empty')}: expected a token on its first line")
    refuses(weir, "--token-file", "/nonexistent", message="--token-file: /nonexistent: No such file or directory")
    refuses(weir, "--token-file", "a", "--token-env", "b",
            message="--token-file and --token-env are two tokens: say one")


def test_urls_that_are_none(weir):
    host = "expected http://HOST:PORT, as http://127.0.0.1:8080"
    for url, message in {
            "https://a": "TLS is not spoken here: ask at a listener on 127.0.0.1, or unix:/PATH",
            "127.0.0.1:8080": "expected http://HOST:PORT or unix:/PATH", "": "expected http://HOST:PORT or unix:/PATH",
            "http://": host, "http://:80": host, "http://u:p@a": host, "http://a b": host,
            "http://" + "a" * 256: host,
            "http://a/x": "expected nothing behind http://HOST:PORT", "http://a:": "expected a port from 1 to 65535",
            "http://a:x": "expected a port from 1 to 65535", "http://a:123456": "expected a port from 1 to 65535",
            "http://[::1": host, "http://[]:80": host,
            "unix:a": "expected unix:/PATH, of at most 107 bytes",
            "unix:/" + "a" * 107: "expected unix:/PATH, of at most 107 bytes"}.items():
        done = weir.run("top", url)
        expect((done.code, done.out), (2, ""), url)
        expect(done.err, f"weir top: '{url[:200]}': {message}\n")
    refuses(weir, "http://a", "b", message="'b' is one word too many; see weir top --help")
    for count in ("0", "1001"):
        refuses(weir, "--count", count,
                message=f"--count: '{count}' is no number from 1 to 1000; see weir top --help")


# ---- Servers that are none, or none any more -------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_nobody_is_there(weir):
    url = f"http://127.0.0.1:{free_port()}"
    refuses(weir, url, message=f"{url}: Connection refused")
    refuses(weir, f"unix:{weir.file('none')}", message=f"unix:{weir.file('none')}: No such file or directory")


def test_what_is_no_answer(weir):
    ok = Server.ok
    none = "this is no weir: it answers with "
    shape = none + "something else than a list of offenders"
    cases = {
        b"garbage\r\n\r\n": none + "something that is not HTTP/1.1",
        b"": "it closed the connection without an answer",
        b"HTTP/1.1 200 OK\r\nContent-Le": "it closed the connection within its answer",
        ok(USUAL)[:-1]: "it closed the connection within its answer",
        ok(USUAL) + b"x": none + "more than its Content-Length",
        b"HTTP/1.1 20x OK\r\n\r\n": none + "a status that is no number",
        b"HTTP/1.1 100 Continue\r\n\r\n": none + "a status that was not asked for",
        b"HTTP/1.1 200 OK\r\n\r\n{}": none + "an answer without a Content-Length",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": none + "an answer in chunks",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}":
            none + "a Content-Length twice, or an empty one",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}": none + "a Content-Length that is no number",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n{}": none + "an answer that is too long",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n": none + "a line that is no header",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4000: none + "headers that are too long",
        ok(b""): shape, ok(b"[]"): shape, ok(b"{}"): shape, ok(b'{"top":{}}'): shape, ok(b'{"top":[]} x'): shape,
        ok(b'{"top":[{"rule":1}]}'): shape, ok(b'{"top":[{"rule":"r","offenders":[{"key":"k"}]}]}'): shape,
        ok(b'{"top":[{"rule":"r","offenders":[{"key":"k","denied":1,"error":2}]}]}'): shape,
        ok(b'{"top":[{"rule":"r","offenders":[{"key":"k","denied":-1}]}]}'): shape,
        ok(b'{"top":[{"rule":"r","offenders":[{"key":"\xff","denied":1}]}]}'): shape,
    }
    with Server() as server:
        for answer, message in cases.items():
            server.answer = answer
            refuses(weir, server.url, message=f"{server.url}: {message}")


def test_a_refusal_says_why(weir):
    with Server() as server:
        for status, content, message in (
                ("401 Unauthorized", b'{"title":"Unauthorized","detail":"no \\u001b[31mtoken"}',
                 "status 401: no ?[31mtoken; it wants a token with the right to read: --token-file"),
                ("404 Not Found", b"<html>", "status 404"),
                ("503 Service Unavailable", b'{"title":"Later","status":503}', "status 503: Later")):
            server.answer = Server.ok(content, status)
            refuses(weir, server.url, message=f"{server.url}: {message}")


def test_a_server_that_dawdles(weir):
    with Server() as server:
        server.hold = threading.Event()
        refuses(weir, "--timeout", "100ms", server.url, message=f"{server.url}: no answer within the timeout")


def test_keys_do_not_steer_the_terminal(weir):
    with Server() as server:
        server.say(("ru\nle", [("a\x1b[2J\x7f\u009b\u202e\u2066\nb\u00e9", 3, 0), ("\u0000", 2, 0)]))
        expect(weir.run("top", server.url).out.splitlines()[1:],
               ["              3  ru?le  a?[2J?????b\u00e9", "              2  ru?le  ?"])
        expect(weir.run("top", server.url, env={"LC_ALL": "C"}).out.splitlines()[1][-11:], "  a?[2J?????b?"[-11:])


def test_a_thousand(weir):
    with Server() as server:
        server.say(("r", [(f"key{i}", 2000 - i, 0) for i in range(1001)]))
        expect(len(weir.run("top", server.url, "--count", "1000").out.splitlines()), 1001)


# ---- Live ------------------------------------------------------------------------------------------------------------


class Terminal:
    """The program with a terminal of its own; `shown` is all that it wrote there."""

    def __init__(self, weir, *arguments, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = weir.start("top", *arguments, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.shown = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys)

    def read(self):
        if select.select([self.master], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):
                self.shown += os.read(self.master, 65536).decode("utf-8", "surrogateescape")

    def until(self, condition, what):
        """Until condition(the last whole drawing, without colours) holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.screen()):
            assert time.monotonic() < deadline and self.process.poll() is None, (what, self.shown)
            self.read()
        return self.screen()

    def screen(self):
        drawings = self.shown.split("\x1b[H")
        whole = [each for each in drawings if each.endswith("\x1b[J") or "\x1b[J" in each]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", whole[-1]).replace("\r", "") if whole else ""

    def end(self):
        """Its exit code, and whether the terminal is as it was."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self.read()
        self.read()
        restored = termios.tcgetattr(self.slave) == self.before
        os.close(self.slave)
        os.close(self.master)
        return self.process.returncode, restored


def test_live_until_q(weir):
    with Server() as server:
        server.say(("login", [("203.0.113.9", 1000, 0)]))
        terminal = Terminal(weir, "--every", "50ms", server.url)
        screen = terminal.until(lambda shown: "1,000" in shown, "the first look")
        expect(screen.splitlines()[0], f"weir top  {server.url}  2026-11-23T22:00:00Z  q ends")
        server.say(("login", [("203.0.113.9", 1000000, 0), ("new", 3, 0)]))
        screen = terminal.until(lambda shown: "1,000,000" in shown, "a newer look")
        # Whoever is new has no rate yet.
        expect(re.search(r"^ +3 +(\S+)  login  new$", screen, re.MULTILINE)[1], "-")
        terminal.until(lambda shown: re.search(r"1,000,000 +0\.0  login", shown), "a rate of none")
        assert re.search(r"1,000,000 +[1-9][0-9,]+  login", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.shown))
        terminal.press(b"q")
        expect(terminal.end(), (0, True))
        assert terminal.shown.startswith(ENTERED) and terminal.shown.endswith(LEFT), terminal.shown
        # Drawn over what was there, not wiped first: but for the very first time nothing is cleared whole.
        expect(terminal.shown.count("\x1b[2J"), 1)


def test_ends_by_keys_and_signals(weir):
    with Server() as server:
        for how in (b"Q", b"\x03", signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            terminal = Terminal(weir, server.url)
            terminal.until(lambda shown: "1,234" in shown, "the first look")
            if isinstance(how, bytes):
                terminal.press(how)
            else:
                terminal.process.send_signal(how)
            expect(terminal.end(), (0, True), how)
            assert terminal.shown.endswith(LEFT), (how, terminal.shown)


def test_other_keys_do_nothing(weir):
    with Server() as server:
        terminal = Terminal(weir, "--every", "1h", server.url)
        terminal.until(lambda shown: "1,234" in shown, "the first look")
        drawings = terminal.shown.count("\x1b[J")
        terminal.press(b"x")
        terminal.until(lambda _: terminal.shown.count("\x1b[J") > drawings, "it is drawn again")
        terminal.press(b"q")
        expect(terminal.end(), (0, True))


def test_size(weir):
    with Server() as server:
        server.say(("r" * 30, [("k" * 200, 100 - i, 0) for i in range(50)]))
        terminal = Terminal(weir, "--every", "1h", server.url, rows=10, columns=60)
        screen = terminal.until(lambda shown: "100" in shown, "the first look")
        expect(len(screen.splitlines()), 9)
        assert max(map(len, screen.splitlines())) <= 60, screen
        assert all(line.endswith("k~") for line in screen.splitlines()[3:]), screen
        terminal.resize(30, 100)
        screen = terminal.until(lambda shown: len(shown.splitlines()) == 29, "drawn to the new size")
        assert max(map(len, screen.splitlines())) == 100, screen
        terminal.press(b"q")
        expect(terminal.end(), (0, True))


def test_a_server_that_comes_and_goes(weir):
    with Server() as server:
        terminal = Terminal(weir, "--every", "50ms", "--timeout", "200ms", server.url, columns=200)
        terminal.until(lambda shown: "1,234" in shown, "the first look")
        good = server.answer
        server.answer = b"x\r\n\r\n"
        screen = terminal.until(lambda shown: "this is no weir" in shown, "the failure")
        assert "1,234" in screen, "what was known stays"
        server.answer = good
        terminal.until(lambda shown: "q ends" in shown, "the server is back")
        server.hold = threading.Event()
        terminal.until(lambda shown: "no answer within the timeout" in shown, "the server hangs")
        terminal.press(b"q")
        expect(terminal.end(), (0, True))


def test_q_is_heard_while_the_server_hangs(weir):
    with Server() as server:
        terminal = Terminal(weir, "--every", "50ms", "--timeout", "1h", server.url)
        terminal.until(lambda shown: "1,234" in shown, "the first look")
        asked = len(server.asked)
        server.hold = threading.Event()
        terminal.until(lambda _: len(server.asked) > asked, "it is asked again")
        terminal.press(b"q")
        expect(terminal.end(), (0, True))


def test_put_aside_and_back(weir):
    with Server() as server:
        terminal = Terminal(weir, "--every", "50ms", server.url)
        terminal.until(lambda shown: "1,234" in shown, "the first look")
        terminal.process.send_signal(signal.SIGTSTP)
        deadline = time.monotonic() + PATIENCE
        while os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG | os.WEXITED) is None:
            assert time.monotonic() < deadline
            terminal.read()
        while terminal.shown.count(LEFT) < 1:
            assert time.monotonic() < deadline
            terminal.read()
        expect(termios.tcgetattr(terminal.slave) == terminal.before, True)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(lambda _: terminal.shown.count(ENTERED) == 2, "it is back")
        terminal.press(b"q")
        expect(terminal.end(), (0, True))
        expect((terminal.shown.count(ENTERED), terminal.shown.count(LEFT)), (2, 2))


def test_nothing_is_drawn_where_the_first_look_fails(weir):
    url = f"http://127.0.0.1:{free_port()}"
    code, shown = weir.on_terminal("top", url)
    expect((code, shown), (2, f"weir top: {url}: Connection refused\n"))


if __name__ == "__main__":
    sys.exit(main(globals()))
