#!/usr/bin/env python3
"""rig_python - the servers of test/support/rig.py are real, are alone, and go away."""

import os
import signal
import socket
import ssl
import subprocess
import sys

from cli_support import ROOT, expect, main

sys.path.insert(0, os.path.join(ROOT, "test", "support"))
import rig  # noqa: E402

FOO = 12182  # the slot of the key "foo"


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def failure(server, *words):
    """The first word of the error that a command gets."""
    try:
        return f"no error, but {server.command(*words)}"
    except rig.ReplyError as error:
        return str(error).split(" ", maxsplit=1)[0]


def test_a_server_answers_until_it_is_stopped(_):
    with rig.Redis("maxmemory 12mb") as redis:
        expect(redis.command("SET", "a", "b"), "OK")
        expect(redis.command("MGET", "a", "none"), ["b", None])
        expect(redis.command("EVAL", "return {1,{}}", 0), [1, []])
        expect(redis.command("CONFIG", "GET", "maxmemory"), ["maxmemory", "12582912"])
        expect(failure(redis, "NONSENSE"), "ERR")
        assert os.path.exists(redis.socket)
    assert refused(redis.port)
    assert not os.path.exists(redis.folder)


def test_passwords_and_restarts(_):
    with rig.Redis("appendonly yes", "appendfsync always", password="secret") as redis:
        expect(redis.url, f"redis://:secret@127.0.0.1:{redis.port}")
        redis.command("SET", "kept", 1)
        redis.kill()
        assert refused(redis.port)
        redis.restart()
        expect(redis.command("GET", "kept"), "1")
        with rig.Connection(redis.port) as stranger:
            try:
                stranger.command("GET", "kept")
                raise AssertionError("a stranger was let in")
            except rig.ReplyError as error:
                assert str(error).startswith("NOAUTH"), error


def test_a_paused_server_accepts_and_never_answers(_):
    with rig.Redis() as redis:
        redis.pause()
        with redis.connect(timeout=0.2) as connection:
            try:
                connection.command("PING")
                raise AssertionError("it answers")
            except TimeoutError:
                pass
        redis.resume()
        expect(redis.command("PING"), "PONG")


def test_tls(_):
    with rig.Redis(tls=True, tls_clients=True) as redis:
        context = ssl.create_default_context(cafile=redis.certificates.authority)
        context.load_cert_chain(redis.certificates.client, redis.certificates.client_key)
        with socket.create_connection(("127.0.0.1", redis.tls_port), timeout=rig.PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
                wrapped.sendall(b"PING\r\n")
                expect(wrapped.recv(7), b"+PONG\r\n")


def test_a_server_dies_with_its_test(_):
    script = "import os, rig; print(rig.Redis().port, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False,
                          env={**os.environ, "PYTHONPATH": os.path.dirname(rig.__file__)})
    expect(done.returncode, -signal.SIGKILL)
    rig.wait(lambda: refused(int(done.stdout)), "the server is gone")


def test_a_cluster_moves_slots_and_fails_over(_):
    with rig.Cluster(3, 1, password="secret") as cluster:
        last = cluster.nodes[2]
        expect(cluster.slot("foo"), FOO)
        expect(cluster.owner(FOO), last)
        expect(failure(cluster.nodes[0], "GET", "foo"), "MOVED")
        last.command("SET", "foo", "kept")
        cluster.move(FOO, cluster.nodes[0])
        expect(cluster.nodes[0].command("GET", "foo"), "kept")
        cluster.nodes[0].kill()
        successor = cluster.wait_owner(FOO, cluster.nodes[0])
        expect(successor, cluster.nodes[3])
        expect(successor.command("GET", "foo"), "kept")


def test_a_cluster_talks_tls(_):
    with rig.Cluster(2, tls=True) as cluster:
        expect(cluster.owner(FOO), cluster.nodes[1])
        assert cluster.tls_url.startswith(f"rediss+cluster://127.0.0.1:{cluster.nodes[0].tls_port},"), cluster.tls_url


def test_sentinels_move_the_primary(_):
    with rig.Sentinel(replicas=1, password="secret") as sentinel:
        expect(sentinel.primary(), sentinel.nodes[0])
        expect(failure(sentinel.nodes[1], "SET", "a", "b"), "READONLY")
        sentinel.nodes[0].kill()
        expect(sentinel.wait_primary(sentinel.nodes[0]), sentinel.nodes[1])
        expect(sentinel.nodes[1].command("SET", "a", "b"), "OK")


main(globals())
