#!/usr/bin/env python3
"""serve_abuse - what peers do to `weir serve` that they should not: it lives, answers everybody else meanwhile, keeps
to its bounds, and leaks nothing (each server is ended by SIGTERM and must end well, which the sanitizers see to).

WEIR_TEST_PEERS says how many connections are opened where many are, instead of 10 000.
"""

import contextlib
import json
import os
import random
import re
import resource
import socket
import struct
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "support")]
import rig  # noqa: E402
from cli_support import expect, main  # noqa: E402

MIB = 1 << 20
SANITIZED = "WEIR_TEST_SCALE" in os.environ
PEERS = int(os.environ.get("WEIR_TEST_PEERS", "10000"))
# Beside those of the peers, what a process needs of descriptors.
SPARE = 100

RULES = ("rules:", "  - name: each", "    key: [user]", "    limit: 5/h")


def serve(weir, *lines, caps="", arguments=None):
    return rig.Weir(weir.path, "workers: 1", f"caps: {{drain: 1s{', ' if caps else ''}{caps}}}",
                    *lines, *RULES, arguments=arguments)


def connect(port):
    peer = socket.create_connection(("127.0.0.1", port), timeout=rig.PATIENCE)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def reset(peer):
    """Ends a connection by a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def read_all(peer):
    """All that comes until the server ends it, one way or another."""
    got = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while part := peer.recv(1 << 16):
            got += part
    return got


def say(port, data, ends=False):
    """What a server answers to bytes until it closes; `ends` closes our half after them."""
    with connect(port) as peer:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            peer.sendall(data)
            if ends:
                peer.shutdown(socket.SHUT_WR)
        return read_all(peer)


def request(method, path, *headers, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: here", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def check(user, path="/v1/check"):
    return request("POST", path, body=json.dumps({"attributes": {"user": user}}).encode())


def ask(server, data):
    """(status, body) of one request over a connection of its own."""
    head, _, body = say(server.http, data.replace(b"Host: here\r\n", b"Host: here\r\nConnection: close\r\n", 1)
                        ).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


def remaining(server, user):
    status, body = ask(server, check(user, "/v1/peek"))
    expect(status, 200, body)
    return json.loads(body)["remaining"]


def metric(server, name):
    _, body = ask(server, request("GET", "/metrics"))
    found = re.search(rf"^{re.escape(name)} (\S+)$", body.decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


def dropped(server, reason):
    return metric(server, f'weir_connections_dropped_total{{reason="{reason}"}}')


def others_are_answered(server):
    """By both doors, over connections made now."""
    expect(ask(server, request("GET", "/healthz"))[0], 200)
    with server.connect() as peer:
        expect(peer.command("CL.THROTTLE", f"other-{random.random()}", 9, 10, 60), [0, 10, 9, -1, 6])


def commands(*words, count=1):
    return (b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)) * count


def is_closed(peer):
    """Whether the server has ended a connection from which nothing is to be read."""
    peer.setblocking(False)
    try:
        return peer.recv(1 << 16) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


# ---- Slow, half-open, half-closed ------------------------------------------------------------------------------


def test_who_sends_byte_by_byte_is_closed(weir):
    """After caps.request, whatever still comes, and wherever in a request it has got to."""
    with serve(weir, caps="request: 300ms") as server:
        begun = [(server.http, b""), (server.http, b"GET /healthz HTTP/1.1\r\nHost: "),
                 (server.http, b"POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"),
                 (server.http, b"POST /v1/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n"),
                 (server.resp, b"*2\r\n$4\r\nPING\r\n$1000\r\n"), (server.resp, b"PIN")]
        peers = []
        for port, start in begun:
            peers.append(connect(port))
            peers[-1].sendall(start)
        open_peers = list(peers)

        def all_closed():
            for peer in list(open_peers):
                try:
                    peer.send(b"a")
                    if is_closed(peer):
                        open_peers.remove(peer)
                except ConnectionError:
                    open_peers.remove(peer)
            return not open_peers
        rig.wait(all_closed, "slow peers are closed")
        for peer in peers:
            peer.close()
        expect(dropped(server, "slow-request"), len(begun))
        others_are_answered(server)


def test_who_says_nothing_is_closed(weir):
    """After caps.idle; one that asks now and then stays."""
    with serve(weir, caps="idle: 1s") as server:
        idle = [connect(server.http), connect(server.resp)]
        with server.connect() as busy:
            def all_closed():
                expect(busy.command("PING"), "PONG")
                return all(is_closed(peer) for peer in idle)
            rig.wait(all_closed, "idle peers are closed")
            expect(busy.command("PING"), "PONG")
        expect(dropped(server, "idle"), 2)
        for peer in idle:
            peer.close()


def test_who_closes_a_half_is_answered(weir):
    """What was asked whole is answered, what was not is dropped, and both are closed."""
    with serve(weir) as server:
        got = say(server.http, request("GET", "/healthz") * 3 + b"GET /heal", ends=True)
        expect(got.count(b"HTTP/1.1 200"), 3, got)
        expect(say(server.resp, commands(b"PING", count=3) + b"*1\r\n$4\r\nPI", ends=True), b"+PONG\r\n" * 3)
        expect(say(server.resp, b"", ends=True), b"")
        others_are_answered(server)


def test_who_is_gone_before_the_answer(weir):
    """Connections that are reset in the middle of a request, or right after one, are noticed at once."""
    with serve(weir, caps="request: 1h, idle: 1h") as server:
        others_are_answered(server)
        before = server.descriptors()
        for number in range(300):
            for port, data in ((server.http, check(f"u{number}")), (server.resp, commands(b"CL.THROTTLE", b"a", b"9",
                                                                                        b"10", b"60", count=50))):
                peer = connect(port)
                peer.sendall(data[:1 + number % len(data)] if number % 2 else data)
                reset(peer)
        rig.wait(lambda: server.descriptors() <= before, "no descriptor is left")
        others_are_answered(server)


# ---- Without end -----------------------------------------------------------------------------------------------


def test_who_reads_nothing(weir):
    """A peer that asks without end and reads nothing is not read any more, and then closed: memory stays bounded."""
    count = 20
    with serve(weir, caps="write: 1s, output: 64KiB") as server:
        others_are_answered(server)
        before = server.resident()
        peers = []
        for number in range(count):
            http = number % 2 == 0
            peer = connect(server.http if http else server.resp)
            peer.setblocking(False)
            # Answers far larger than what asks for them.
            peers.append((peer, request("GET", "/v1/openapi.json" if number % 4 else "/metrics") * 64 if http
                          else commands(b"COMMAND", count=256)))
        most = 0
        open_peers = list(peers)
        sent = 0

        def all_closed():
            nonlocal most, sent
            for each in list(open_peers):
                try:
                    sent += each[0].send(each[1])
                except BlockingIOError:
                    pass
                except ConnectionError:
                    open_peers.remove(each)
            most = max(most, server.resident())
            return not open_peers
        others_are_answered(server)
        rig.wait(all_closed, "peers that read nothing are closed")
        others_are_answered(server)
        # Each may have caps.output, one answer past it, and what was read of it at once.
        # What a sanitizer keeps of each byte, and of what was freed, comes on top.
        assert most - before < (512 if SANITIZED else 64) * MIB, (before, most, sent)
        expect(dropped(server, "slow-reader"), count)
        for peer, _ in peers:
            peer.close()


def test_pipelines_without_end(weir):
    """Far more in one go than caps.pipeline: all is answered, in order, while others are."""
    with serve(weir, caps="pipeline: 16") as server:
        count = 20000
        with connect(server.resp) as peer:
            data = b"".join(commands(b"ECHO", b"%d" % number) for number in range(count))
            writer = threading.Thread(target=peer.sendall, args=(data,))
            writer.start()
            others_are_answered(server)
            with peer.makefile("rb") as file:
                for number in range(count):
                    expect((file.readline(), file.readline()),
                           (b"$%d\r\n" % len(b"%d" % number), b"%d\r\n" % number))
            writer.join()
        users = [f"pipelined-{number % 100}" for number in range(1000)]
        got = say(server.http, b"".join(check(user) for user in users), ends=True)
        left = [int(value) for value in re.findall(rb'"rule":"each","limit":5,"remaining":(\d+),[^[]*"rules"', got)]
        expect(left, [max(4 - number // 100, 0) for number in range(1000)])


# ---- Garbage ---------------------------------------------------------------------------------------------------


def test_garbage(weir):
    """Bytes of chance, and of other protocols, on both doors: whoever sends them is closed."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"# seed {seed}", flush=True)
    chance = random.Random(seed)
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(range(189))
    with serve(weir) as server:
        for port in (server.http, server.resp):
            say(port, hello, ends=True)
            for _ in range(100):
                say(port, chance.randbytes(chance.randrange(1, 3000)), ends=True)
                say(port, chance.choice([b"GET ", b"*3\r\n$", b"POST / HTTP/1.1\r\n", b"*-1\r\n", b"%1\r\n"])
                    + chance.randbytes(chance.randrange(1, 300)), ends=True)
        # Nothing of what each door takes the other does, and who speaks the wrong one is told and closed.
        got = say(server.resp, check("cross"))
        assert got.startswith(b"-ERR"), got
        got = say(server.http, commands(b"CL.THROTTLE", b"cross", b"9", b"10", b"60"))
        assert got.startswith(b"HTTP/1.1 400"), got
        expect(remaining(server, "cross"), 5)
        others_are_answered(server)


def test_giants(weir):
    """What is longer than the caps is refused before it has all come, and closed."""
    with serve(weir, caps="head: 4KiB, body: 64KiB, batch: 10") as server:
        for expected, data in (
                (431, b"GET / HTTP/1.1\r\nHost: a\r\nBig: " + b"x" * MIB),
                (431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100000),
                (414, b"GET /" + b"x" * MIB),
                (413, b"POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      b"Content-Length: 99999999999\r\n\r\n"),
                (413, b"POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000 + b"\r\n" + b"fffff\r\n"),
                (413, b"POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n")):
            got = say(server.http, data)
            # A peer that still sends while it is closed may lose the answer to a reset; never the rest of us.
            assert re.match(rb"HTTP/1\.1 (%d|431|414) " % expected, got) or (not got and len(data) > 65536), got
        for data in (b"*1000000\r\n", b"*99999999999999999999\r\n", b"*1\r\n$999999999\r\n",
                     b"*1\r\n$-7\r\n", b"*2\r\n$4\r\nECHO\r\n$65536\r\n" + b"x" * 65536, b"x" * MIB):
            got = say(server.resp, data)
            assert got.startswith(b"-ERR") or (not got and len(data) > 65536), (data[:40], got)
        deep = json.dumps({"attributes": {}}).encode()
        expect(ask(server, request("POST", "/v1/check", body=b"[" * 30000))[0], 400)
        expect(ask(server, request("POST", "/v1/check", body=b'{"a":' * 10000))[0], 400)
        many = b'{"checks":[' + b",".join([deep] * 11) + b"]}"
        assert ask(server, request("POST", "/v1/check", body=many))[0] in (400, 413)
        others_are_answered(server)


def test_smuggling(weir):
    """Requests that two parsers may take for different ones are refused, and nothing behind them is done."""
    heads = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: -1",
        "Content-Length:",
        "Content-Length : 5",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: identity",
        "A: b\r\n Content-Length: 5",
        "A: b\r\n\tTransfer-Encoding: chunked",
        " A: b",
        "A\x00: b",
        "A: b\x00c",
        "A: b\rTransfer-Encoding: chunked",
        "A: b\nTransfer-Encoding: chunked",
        "no colon here",
        ": nameless",
        "A b: c",
    ]
    with serve(weir) as server:
        for number, head in enumerate(heads):
            for line in (b"POST /v1/check HTTP/1.1\r\nHost: a\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\n"):
                victim = f"victim-{number}"
                got = say(server.http, line + head.encode("latin-1") + b"\r\n\r\n0\r\n\r\n" + check(victim))
                assert re.match(rb"HTTP/1\.1 (400|501) ", got), (head, got)
                expect(len(re.findall(rb"HTTP/1\.1 \d{3} ", got)), 1, head)
                expect(remaining(server, victim), 5, head)
        chunks = [b"5;a\x00\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n",
                  b"5\r\nhelloXX0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
                  b"-1\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n"]
        for number, body in enumerate(chunks):
            victim = f"chunked-{number}"
            got = say(server.http, b"POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + body + check(victim))
            assert re.match(rb"HTTP/1\.1 (400|413) ", got), (body, got)
            expect(len(re.findall(rb"HTTP/1\.1 \d{3} ", got)), 1, body)
            expect(remaining(server, victim), 5, body)
        for number, line in enumerate((b"GET /healthz HTTP/1.1\nHost: a\n\n",
                                       b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
                                       b"GET /healthz\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n",
                                       b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                                       b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n")):
            victim = f"line-{number}"
            got = say(server.http, line + check(victim))
            assert re.match(rb"HTTP/1\.1 (400|505) ", got), (line, got)
            expect(len(re.findall(rb"HTTP/1\.1 \d{3} ", got)), 1, line)
            expect(remaining(server, victim), 5, line)


# ---- Many ------------------------------------------------------------------------------------------------------


def raise_limits(wanted):
    """As many descriptors as may be had, here; gives what the server's process is to do."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        raise OSError(f"{wanted} descriptors are needed, {hard} may be had; WEIR_TEST_PEERS says how many peers")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def test_ten_thousand_connections(weir):
    """All are answered, while all are there; and when they have gone, so has what they took."""
    raise_limits(PEERS + SPARE)
    with serve(weir) as server:
        others_are_answered(server)
        before = server.descriptors()
        peers = [connect(server.resp if number % 2 else server.http) for number in range(PEERS)]
        rig.wait(lambda: metric(server, "weir_connections") >= PEERS, "all are connected")
        for peer in peers[1::2]:
            peer.sendall(commands(b"PING"))
        for peer in peers[0::2]:
            peer.sendall(request("GET", "/healthz"))
        for number, peer in enumerate(peers):
            got = peer.recv(4096)
            assert got == b"+PONG\r\n" if number % 2 else got.startswith(b"HTTP/1.1 200 OK\r\n"), got
        others_are_answered(server)
        for number, peer in enumerate(peers):
            if number % 3:
                peer.close()
            else:
                reset(peer)
        rig.wait(lambda: server.descriptors() <= before, "all have gone")
        others_are_answered(server)


def test_coming_and_going(weir):
    """Connections that are made and ended without end leave neither descriptors nor memory behind."""
    with serve(weir) as server:
        def come_and_go(count):
            for number in range(count):
                peer = connect(server.http if number % 2 else server.resp)
                if number % 4 < 2:
                    peer.sendall(request("GET", "/healthz") if number % 2 else commands(b"PING"))
                if number % 8 < 4:
                    peer.close()
                else:
                    reset(peer)
            rig.wait(lambda: metric(server, "weir_connections") == 1, "all have gone")
        come_and_go(500)
        descriptors, resident = server.descriptors(), server.resident()
        come_and_go(2000)
        rig.wait(lambda: server.descriptors() <= descriptors, "no descriptor is left")
        # A sanitizer keeps what is freed for a while.
        assert server.resident() - resident < (512 if SANITIZED else 64) * MIB, (resident, server.resident())
        others_are_answered(server)


def test_no_descriptor_left(weir):
    """Those that are there are answered; those that wait are taken when others have gone."""
    with serve(weir) as server:
        with server.connect() as first:
            expect(first.command("PING"), "PONG")
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (server.descriptors() + 8, 4096))
            peers = [connect(server.resp) for _ in range(40)]
            for peer in peers:
                peer.sendall(commands(b"PING"))
            rig.wait(lambda: "no descriptor left" in server.log(), "descriptors run out")
            for _ in range(100):
                expect(first.command("PING"), "PONG")
            for peer in peers:
                expect(peer.recv(64), b"+PONG\r\n")
                peer.close()
        others_are_answered(server)


def test_a_cap_on_connections(weir):
    """One more than caps.connections is closed at once; when one has gone, another is taken."""
    with serve(weir, caps="connections: 10") as server:
        before = server.descriptors()
        peers = [connect(server.resp) for _ in range(10)]
        for peer in peers:
            peer.sendall(commands(b"PING"))
            expect(peer.recv(64), b"+PONG\r\n")
        for _ in range(5):
            with connect(server.resp) as peer:
                expect(read_all(peer), b"")
        for peer in peers:
            peer.sendall(commands(b"PING"))
            expect(peer.recv(64), b"+PONG\r\n")
        peers.pop().close()

        def taken():
            with connect(server.http) as peer:
                with contextlib.suppress(ConnectionError):
                    peer.sendall(request("GET", "/healthz"))
                    return peer.recv(4096).startswith(b"HTTP/1.1 200")
            return False
        rig.wait(taken, "another is taken")
        for peer in peers:
            peer.close()
        rig.wait(lambda: taken() and server.descriptors() < before + 5, "all have gone")
        assert dropped(server, "too-many") >= 5


# ---- The store, and whoever looks on ---------------------------------------------------------------------------


def test_a_store_that_hangs(weir):
    """Decisions come at the deadline by on_error; what needs no store is answered meanwhile."""
    for on_error, allowed in (("deny", False), ("allow", True)):
        with rig.Redis() as redis, serve(
                weir, f"store: {{url: '{redis.url}?on_error={on_error}', timeout: 500ms}}") as server:
            status, body = ask(server, check("before"))
            expect((status, json.loads(body)["source"]), (200, "redis"))
            redis.pause()
            with connect(server.http) as waiting, server.connect() as resp, server.connect() as lively:
                waiting.sendall(check("during"))
                resp.send("CL.THROTTLE", "during", 9, 10, 60)
                # Over the very connection that waits, too: an answer behind it comes after it.
                resp.send("PING")
                expect(lively.command("PING"), "PONG")
                expect(ask(server, request("GET", "/healthz"))[0], 200)
                body = waiting.recv(1 << 16).partition(b"\r\n\r\n")[2]
                answer = json.loads(body)
                expect((answer["allowed"], answer["source"]), (allowed, "on-error"), body)
                assert answer["failure"] in ("timeout", "circuit-open"), body
                expect(resp.receive()[0], 0 if allowed else 1)
                expect(resp.receive(), "PONG")
            redis.resume()
            rig.wait(lambda: json.loads(ask(server, check(f"after-{random.random()}"))[1])["source"] == "redis",
                     "Redis decides again")


def test_peers_leave_while_the_store_hangs(weir):
    """What the store has of a peer that has gone is dropped when it is answered."""
    with rig.Redis() as redis, serve(
            weir, f"store: {{url: '{redis.url}?on_error=deny', timeout: 300ms}}") as server:
        redis.pause()
        for number in range(200):
            peer = connect(server.http if number % 2 else server.resp)
            peer.sendall(check(f"u{number}") if number % 2 else
                         commands(b"CL.THROTTLE", b"a%d" % number, b"9", b"10", b"60", count=20))
            if number % 3:
                reset(peer)
            else:
                peer.close()
        rig.wait(lambda: metric(server, "weir_connections") == 1, "all have gone")
        redis.resume()
        rig.wait(lambda: json.loads(ask(server, check(f"after-{random.random()}"))[1])["source"] == "redis",
                 "Redis decides again")


def test_a_scrape_under_load(weir):
    """Whoever reads the metrics while all is busy gets them whole, and in the end they count each request."""
    with serve(weir) as server:
        count, lanes = 2000, 4

        def load():
            with connect(server.resp) as peer, peer.makefile("rb") as file:
                peer.sendall(commands(b"CL.THROTTLE", b"hot", b"9", b"10", b"60", count=count))
                for _ in range(6 * count):
                    file.readline()
        threads = [threading.Thread(target=load) for _ in range(lanes)]
        for thread in threads:
            thread.start()
        scrapes, last = 0, 0
        while scrapes < 5 or any(thread.is_alive() for thread in threads):
            now = metric(server, 'weir_requests_total{door="resp"}')
            assert now >= last, (now, last)
            last, scrapes = now, scrapes + 1
        for thread in threads:
            thread.join()
        ad_hoc = 'weir_decisions_total{rule="(ad hoc)",outcome="%s"}'
        expect(sum(metric(server, ad_hoc % outcome) for outcome in ("allowed", "denied")), count * lanes)


if __name__ == "__main__":
    main(globals())
