#!/usr/bin/env python3
"""serve_grpc_abuse - what peers do to a `grpc` listener that they should not: it lives, answers the others meanwhile, keeps
to its bounds, and leaks nothing. Frames of HTTP/2 are put together here, as no client would send these."""

import contextlib
import os
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "support")]
import rig  # noqa: E402
import rls_messages as rls  # noqa: E402
from http_support import Server, ask  # noqa: E402
from cli_support import expect, main  # noqa: E402

MIB = 1 << 20
SANITIZED = "WEIR_TEST_SCALE" in os.environ

POLICY = """\
workers: 1
caps: {drain: 1s%s}
listen:
  - http: 127.0.0.1:{http}
  - grpc: 127.0.0.1:{grpc}
rules:
  - {name: all, match: {domain: web}, key: [], limit: 1000000/h}
"""

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
SYMBOL = rls.nested(4, b"envoy.service.ratelimit.v3.RateLimitService")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    """Of HPACK, without Huffman's code."""
    value = value.encode()
    assert len(value) < 127
    return bytes([len(value)]) + value


def head(path, *more):
    """A call's headers, by HPACK's fixed table, and others as they are."""
    return b"\x83\x86\x04" + text(path) + b"\x01" + text("here") + b"\x0f\x10" + text("application/grpc") + \
        b"".join(b"\x00" + text(name) + text(value) for name, value in (("te", "trailers"), *more))


def begin(stream, path=rls.METHOD):
    return frame(HEADERS, END_HEADERS, stream, head(path))


def body(stream, message, flags=END_STREAM):
    return frame(DATA, flags, stream, struct.pack(">BI", 0, len(message)) + message)


def call(stream):
    return begin(stream) + body(stream, rls.request("web", rls.descriptor(("n", "1"))))


class Peer:
    """A connection, of which both sides have said who they are."""

    def __init__(self, port, settings=b""):
        self.socket = socket.create_connection(("127.0.0.1", port), rig.PATIENCE)
        self.unread = b""
        self.gone = False
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, payload=settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False once the server has ended the connection."""
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            self.gone = True
        return not self.gone

    def frames(self):
        """(kind, flags, stream, payload), until the server ends the connection."""
        while True:
            while len(self.unread) >= 9:
                length = int.from_bytes(self.unread[:3], "big")
                if len(self.unread) < 9 + length:
                    break
                found = (self.unread[3], self.unread[4], struct.unpack(">I", self.unread[5:9])[0], self.unread[9:9 + length])
                self.unread = self.unread[9 + length:]
                yield found
            part = b""
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                part = self.socket.recv(1 << 16)
            if not part:
                return
            self.unread += part

    def answer(self, stream):
        """A call's message; None where the connection, or the call, ends before."""
        for kind, _, of, payload in self.frames():
            if of == stream and kind == DATA and payload:
                return payload[5:]
            if of == stream and kind == RESET:
                return None
        return None

    def last_word(self):
        """The code of the GOAWAY that ends the connection; None where it just ends, as it may by a reset."""
        code = None
        for kind, _, _, payload in self.frames():
            if kind == GOAWAY:
                code = struct.unpack(">I", payload[4:8])[0]
        return code


class Scene:
    """weir serve with a gRPC listener, and an honest peer that is answered before and after."""

    def __init__(self, weir, caps=""):
        self.port = rig.Port()
        self.server = Server(weir, POLICY.replace("{grpc}", str(self.port.number)) % (", " + caps if caps else ""))

    def __enter__(self):
        self.server.__enter__()
        self.honest = Peer(self.port.number)
        self.asked = -1
        self.ask()
        return self

    def __exit__(self, kind, *rest):
        try:
            if kind is None:
                self.ask()
                with Peer(self.port.number) as another:
                    another.send(call(1))
                    expect(rls.response(another.answer(1))["code"], "OK")
        finally:
            self.honest.socket.close()
            self.server.__exit__(kind, *rest)
            self.port.release()
        expect(self.server.process.returncode, 0)

    def ask(self):
        self.asked += 2
        self.honest.send(call(self.asked))
        expect(rls.response(self.honest.answer(self.asked))["code"], "OK")

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))

    def flood(self, peer, parts):
        """Sends all of it, and an honest question now and then; whether the server ended it meanwhile."""
        for i, part in enumerate(parts):
            if not peer.send(part):
                return True
            if i % 100 == 0:
                self.ask()
        return False


def ends(scene, parts, settings=b""):
    with Peer(scene.port.number, settings) as peer:
        scene.flood(peer, parts)
        return peer.last_word()


def test_calls_reset_as_fast_as_they_are_made(weir):
    with Scene(weir) as scene:
        cancel = struct.pack(">I", CANCEL)
        parts = [b"".join(begin(stream) + frame(RESET, 0, stream, cancel) for stream in range(first, first + 200, 2))
                 for first in range(1, 40001, 200)]
        expect(ends(scene, parts) in (ENHANCE_YOUR_CALM, None), True)


def test_floods_of_frames_that_cost_nothing(weir):
    with Scene(weir) as scene:
        floods = {
            "CONTINUATION": [frame(HEADERS, 0, 1, head(rls.METHOD))] + [frame(CONTINUATION, 0, 1, b"")] * 5000,
            "long headers": [frame(HEADERS, 0, 1, head(rls.METHOD))] + [frame(CONTINUATION, 0, 1, b"\x00" + text("a" * 120) +
                                                                              text("b" * 120))] * 5000,
            "SETTINGS": [frame(SETTINGS) * 100] * 2000,
            "PING": [frame(PING, 0, 0, b"12345678") * 100] * 2000,
            "empty DATA": [begin(1)] + [frame(DATA, 0, 1)] * 5000,
        }
        for name, parts in floods.items():
            with Peer(scene.port.number) as peer:
                scene.flood(peer, parts)
                # Its end is waited for: a flood that is borne would hang here.
                expect((name, peer.last_word() != 0), (name, True))


def test_a_peer_that_takes_nothing(weir):
    closed_window = struct.pack(">HI", 4, 0)
    with Scene(weir) as scene:
        before = scene.resident()
        peers = []
        for _ in range(4):
            peers.append(Peer(scene.port.number, closed_window))
            scene.flood(peers[-1], [call(stream) for stream in range(1, 8001, 2)])
        for _ in range(4):
            peers.append(Peer(scene.port.number, closed_window))
            peers[-1].send(begin(1, REFLECTION))
            scene.flood(peers[-1], [body(1, SYMBOL, 0) * 10] * 500)
        scene.ask()
        if not SANITIZED:
            expect(scene.resident() - before < 64 * MIB, True)
        for peer in peers:
            peer.socket.close()


def test_too_many_calls_at_once_are_refused(weir):
    with Scene(weir, "pipeline: 10") as scene, Peer(scene.port.number) as peer:
        for stream in range(1, 23, 2):
            peer.send(begin(stream))
        refused = next((of, struct.unpack(">I", payload)[0]) for kind, _, of, payload in peer.frames() if kind == RESET)
        expect(refused, (21, REFUSED_STREAM))
        # The ten go on.
        peer.send(body(3, rls.request("web", rls.descriptor(("n", "1")))))
        expect(rls.response(peer.answer(3))["code"], "OK")


def test_what_never_becomes_whole_is_ended(weir):
    part = struct.pack(">BI", 0, 100) + b"x"
    with Scene(weir, "request: 1s") as scene:
        scene.honest.socket.close()
        for parts in ([begin(1)], [begin(1), frame(DATA, 0, 1, part)], [frame(HEADERS, 0, 1, head(rls.METHOD))],
                      [begin(1)[:20]]):
            with Peer(scene.port.number) as peer:
                for each in parts:
                    peer.send(each)
                peer.last_word()  # and not forever
        # Nor is a call that begins and does not go on, one after another, a way to stay.
        with Peer(scene.port.number) as peer:
            deadline = time.monotonic() + rig.PATIENCE
            stream = 1
            while peer.send(begin(stream)):
                expect(time.monotonic() < deadline, True)
                stream += 2
                time.sleep(0.2)
        scene.honest, scene.asked = Peer(scene.port.number), -1


def test_who_is_idle_is_told_to_go(weir):
    with Scene(weir, "idle: 1s") as scene:
        scene.honest.socket.close()
        with Peer(scene.port.number) as peer:
            peer.send(call(1))
            expect(rls.response(peer.answer(1))["code"], "OK")
            expect(peer.last_word(), 0)
        # Also where it takes nothing of what it asked for.
        with Peer(scene.port.number, struct.pack(">HI", 4, 0)) as peer:
            peer.send(call(1))
            expect(peer.last_word(), 0)
        scene.honest, scene.asked = Peer(scene.port.number), -1


def test_who_says_goodbye_is_let_go(weir):
    goodbye = frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0))
    bad = 'weir_requests_bad_total{door="grpc"} 0\n'
    with Scene(weir) as scene:
        for parts in ([call(1), goodbye], [begin(1), goodbye, body(1, rls.request("web", rls.descriptor(("n", "1"))))]):
            with Peer(scene.port.number) as peer:
                for part in parts:
                    peer.send(part)
                expect(rls.response(peer.answer(1))["code"], "OK")
                expect(peer.last_word(), None)
        with Peer(scene.port.number) as peer:
            peer.send(call(1))
            expect(rls.response(peer.answer(1))["code"], "OK")
            peer.send(goodbye)
            expect(peer.last_word(), None)
        expect(bad in ask(scene.server.port.number, "GET", "/metrics").body, True)
        # Who breaks the protocol amid a call is counted, and closed at once, also having said goodbye.
        with Peer(scene.port.number) as peer:
            peer.send(begin(1) + goodbye + frame(PING, 0, 1, b"12345678"))
            expect(peer.last_word() != 0, True)
        expect(bad in ask(scene.server.port.number, "GET", "/metrics").body, False)


def test_garbage_in_frames(weir):
    with Scene(weir) as scene:
        for parts in ([frame(HEADERS, END_HEADERS, 2, head(rls.METHOD))], [frame(DATA, 0, 7, b"x")], [frame(SETTINGS, 0, 0, b"x")],
                      [frame(HEADERS, END_HEADERS, 1, b"\xff" * 40)], [frame(PING, 0, 1, b"12345678")],
                      [frame(8, 0, 0, struct.pack(">I", 0))], [frame(0x20, 0xff, 9, b"?" * (1 << 15))]):
            with Peer(scene.port.number) as peer:
                for part in parts:
                    peer.send(part)
                expect(peer.last_word() != 0, True)
        expect('weir_requests_bad_total{door="grpc"} 7' in ask(scene.server.port.number, "GET", "/metrics").body, True)
        expect(ask(scene.server.port.number, "GET", "/readyz").status, 200)


if __name__ == "__main__":
    main(globals())
