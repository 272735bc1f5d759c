#!/usr/bin/python3
"""serve_grpc - a real gRPC client asks a running server: by weir's rules and by envoyproxy/ratelimit's files; health, TLS,
tokens, deadlines, many calls at once, drain. grpc is Debian's, so this is run by Debian's Python."""

import json
import os
import signal
import socket
import sys

from random import Random

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from http_support import Running, Server, ask
from cli_support import expect, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402
import rls_messages as rls  # noqa: E402

SECRET = "a-secret-of-enough-bytes"

POLICY = """\
listen:
  - http: 127.0.0.1:{http}
  - grpc: 127.0.0.1:{grpc}
  - grpc: unix:{socket}
    insecure: true
  - grpc: 127.0.0.1:{tls}
    tls: {certificate: {c.server}, key: {c.server_key}, client_authority: {c.authority}}
  - grpc: 127.0.0.1:{tokens}
    tokens: [{name: asker, env: WEIR_TEST_TOKEN, rights: [decide]}, {name: reader, env: WEIR_TEST_READER, rights: [read]}]
rules:
  - {name: login, match: {domain: web, path: /login}, key: user, limit: 3/m fixed-window}
  - {name: all, match: {domain: web}, key: [], limit: 5000/h}
"""

FILE = """\
domain: web
descriptors:
  - key: path
    rate_limit: {unit: day, requests_per_unit: 3, name: path}
  - key: user
    value: vip*
    rate_limit: {unlimited: true}
  - key: user
    rate_limit: {unit: hour, requests_per_unit: 10}
"""

ATOMIC = "atomic: true\n" + FILE.replace("domain: web", "domain: atomic")


class Caller:
    """A channel to a server."""

    def __init__(self, target, credentials=None):
        self.channel = grpc.secure_channel(target, credentials, [("grpc.ssl_target_name_override", "localhost")]) \
            if credentials else grpc.insecure_channel(target)
        self.method = self.channel.unary_unary(rls.METHOD)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def ask(self, *arguments, metadata=None, timeout=rig.PATIENCE, **more):
        return rls.response(self.method(rls.request(*arguments, **more), timeout=timeout, metadata=metadata,
                                        wait_for_ready=True))

    def refused(self, message, path=rls.METHOD, metadata=None):
        """The code and the details of an error."""
        try:
            self.channel.unary_unary(path)(message, timeout=rig.PATIENCE, metadata=metadata, wait_for_ready=True)
        except grpc.RpcError as error:
            return error.code().name, error.details()
        return "OK", ""


class Scene:
    """weir serve with a listener of each kind."""

    def __init__(self, weir):
        self.certificates = rig.Certificates(weir.folder)
        self.reserved = {name: rig.Port() for name in ("grpc", "tls", "tokens")}
        self.ports = {name: port.number for name, port in self.reserved.items()}
        self.socket = weir.file("weir.sock")
        text = POLICY
        for name, value in {**self.ports, "socket": self.socket, "c.server": self.certificates.server,
                            "c.server_key": self.certificates.server_key, "c.authority": self.certificates.authority}.items():
            text = text.replace("{" + name + "}", str(value))
        self.server = Server(weir, text, env={"WEIR_TEST_TOKEN": SECRET, "WEIR_TEST_READER": SECRET + "-reader"})

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *arguments):
        self.server.__exit__(*arguments)
        for port in self.reserved.values():
            port.release()
        expect(self.server.process.returncode, 0)

    def caller(self, name="grpc", credentials=None):
        return Caller(f"127.0.0.1:{self.ports[name]}", credentials)


class Drop(Running):
    """weir serve --envoy-config, on ports of its own."""

    def __init__(self, weir, files, env=None):
        self.folder = weir.file("config")
        os.makedirs(self.folder, exist_ok=True)
        for name, text in files.items():
            self.write(name, text)
        self.reserved = [rig.Port() for _ in range(3)]
        self.grpc, self.http, self.debug = [port.number for port in self.reserved]
        super().__init__(weir.folder, "weir", [weir.path, "serve", "--envoy-config", self.folder], env=weir.environment(
            {"GRPC_PORT": str(self.grpc), "PORT": str(self.http), "DEBUG_PORT": str(self.debug), **(env or {})}))

    def write(self, name, text):
        path = os.path.join(self.folder, "." + name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path, os.path.join(self.folder, name))

    def ready(self):
        return ask(self.http, "GET", "/healthcheck").status == 200

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        for port in self.reserved:
            port.release()
        expect(self.process.returncode, 0)

    def caller(self):
        return Caller(f"127.0.0.1:{self.grpc}")


def codes(answer):
    return [answer["code"]] + [each["code"] for each in answer["statuses"]]


def test_rules_of_weir_are_asked_by_entries(weir):
    with Scene(weir) as scene, scene.caller() as caller:
        alice = rls.descriptor(("path", "/login"), ("user", "alice"))
        for left in (2, 1, 0):
            answer = caller.ask("web", alice)
            expect(codes(answer), ["OK", "OK"])
            expect(answer["statuses"][0]["limit"], (3, "MINUTE", "login"))
            expect(answer["statuses"][0]["remaining"], left)
        expect(codes(caller.ask("web", alice)), ["OVER_LIMIT", "OVER_LIMIT"])
        # A look takes nothing; what is given back is there again.
        look = rls.descriptor(("path", "/login"), ("user", "alice"), hits=0)
        expect(codes(caller.ask("web", look)), ["OVER_LIMIT", "OVER_LIMIT"])
        caller.ask("web", rls.descriptor(("path", "/login"), ("user", "alice"), hits=1, negative=True))
        expect(codes(caller.ask("web", look)), ["OK", "OK"])
        # A limit that comes along, and one that nothing matches.
        brought = rls.descriptor(("q", "1"), limit=(1, "HOUR"))
        expect(codes(caller.ask("other", brought, rls.descriptor(("q", "1")))), ["OK", "OK", "OK"])
        answer = caller.ask("other", brought)
        expect(codes(answer), ["OVER_LIMIT", "OVER_LIMIT"])
        expect(answer["statuses"][0]["limit"], (1, "HOUR", ""))


def test_errors_are_grpc_errors(weir):
    with Scene(weir) as scene, scene.caller() as caller:
        for message in (b"\xff", b"", rls.request("web"), rls.request("", rls.descriptor(("a", "b"))),
                        rls.nested(1, b"\xff") + rls.nested(2, b"")):
            expect(caller.refused(message)[0], "INVALID_ARGUMENT")
        expect(caller.refused(b"", "/envoy.service.ratelimit.v3.RateLimitService/None")[0], "UNIMPLEMENTED")
        expect(caller.refused(b"x" * (2 << 20))[0], "RESOURCE_EXHAUSTED")
        # Two messages where one is due, in one piece: the first was asked already.
        twice = caller.channel.stream_unary(rls.METHOD)
        for _ in range(20):
            try:
                twice(iter([rls.request("web", rls.descriptor(("n", "2")))] * 2), timeout=rig.PATIENCE)
            except grpc.RpcError as error:  # unless the first was answered before the second came
                expect(error.code().name, "INTERNAL")
        expect(caller.ask("web", rls.descriptor(("a", "b")))["code"], "OK")
        expect(ask(scene.server.port.number, "GET", "/metrics").body.count('weir_requests_total{door="grpc"} 28'), 1)


def test_many_calls_at_once(weir):
    with Scene(weir) as scene, scene.caller() as caller:
        message = rls.request("web", rls.descriptor(("n", "1")))
        calls = [caller.method.future(message, timeout=rig.PATIENCE, wait_for_ready=True) for _ in range(2000)]
        left = sorted(rls.response(call.result())["statuses"][0]["remaining"] for call in calls)
        expect((len(left), left[0] >= 3000, left[-1]), (2000, True, 4999))


def test_unix_sockets_tls_and_tokens(weir):
    with Scene(weir) as scene:
        one = rls.descriptor(("a", "b"))
        with Caller("unix:" + scene.socket) as caller:
            expect(caller.ask("web", one)["code"], "OK")
        c = scene.certificates
        parts = [open(path, "rb").read() for path in (c.authority, c.client_key, c.client)]
        with scene.caller("tls", grpc.ssl_channel_credentials(*parts)) as caller:
            expect(caller.ask("web", one)["code"], "OK")
        with scene.caller("tls", grpc.ssl_channel_credentials(parts[0])) as caller:
            try:
                caller.method(rls.request("web", one), timeout=2)
                raise AssertionError("nobody without a certificate is let in")
            except grpc.RpcError as error:
                expect(error.code().name in ("UNAVAILABLE", "DEADLINE_EXCEEDED"), True)
        with scene.caller("tokens") as caller:
            message = rls.request("web", one)
            expect(caller.refused(message)[0], "UNAUTHENTICATED")
            expect(caller.refused(message, metadata=[("authorization", "Bearer wrong-and-long-enough")])[0],
                   "UNAUTHENTICATED")
            expect(caller.refused(message, metadata=[("authorization", "Bearer " + SECRET + "-reader")])[0],
                   "PERMISSION_DENIED")
            expect(caller.refused(message, metadata=[("authorization", "Bearer " + SECRET)])[0], "OK")


def test_health_is_told_and_watched(weir):
    with Scene(weir) as scene, scene.caller() as caller:
        check = caller.channel.unary_unary("/grpc.health.v1.Health/Check")
        for service in ("", "ratelimit", "envoy.service.ratelimit.v3.RateLimitService"):
            expect(check(rls.nested(1, service.encode()) if service else b"", timeout=rig.PATIENCE,
                         wait_for_ready=True), b"\x08\x01")
        expect(caller.refused(rls.nested(1, b"other"), "/grpc.health.v1.Health/Check")[0], "NOT_FOUND")
        watched = caller.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=rig.PATIENCE)
        expect(next(watched), b"\x08\x01")
        scene.server.process.send_signal(signal.SIGTERM)
        expect(next(watched), b"\x08\x02")


class Reflection:
    """What a server says of itself, in protobuf's own classes."""

    def __init__(self, caller, version):
        self.version = version
        self.method = caller.channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")

    def ask(self, *questions):
        """The answers' fields, each (number, bytes), without the echo of the question."""
        answers = list(self.method(iter(questions), timeout=rig.PATIENCE, wait_for_ready=True))
        expect([dict(rls.fields(answer))[2] for answer in answers], list(questions))
        return [[field for field in rls.fields(answer) if field[0] != 2][0] for answer in answers]

    def services(self):
        ((field, listed),) = self.ask(rls.nested(7, b""))
        expect(field, 6)
        return [dict(rls.fields(service))[1].decode() for _, service in rls.fields(listed)]

    def pool(self, symbols):
        """A pool of all files that declare the symbols."""
        files = {}
        for field, answer in self.ask(*[rls.nested(4, symbol.encode()) for symbol in symbols]):
            expect(field, 4)
            for _, data in rls.fields(answer):
                file = descriptor_pb2.FileDescriptorProto.FromString(data)
                files[file.name] = file
        pool = descriptor_pool.DescriptorPool()

        def add(name):
            file = files.pop(name, None)
            if file is not None:
                for dependency in file.dependency:
                    add(dependency)
                pool.Add(file)
        for name in list(files):
            add(name)
        return pool


def message_class(pool, name):
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(name))


def test_reflection_tells_what_is_spoken(weir):
    with Scene(weir) as scene, scene.caller() as caller:
        for version in ("v1", "v1alpha"):
            reflection = Reflection(caller, version)
            services = reflection.services()
            expect(sorted(services), ["envoy.service.ratelimit.v3.RateLimitService", "grpc.health.v1.Health",
                                      "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"])
            pool = reflection.pool(services)
            # Whatever is told is there: a method that isn't would be UNIMPLEMENTED.
            for service in services:
                for method in pool.FindServiceByName(service).methods:
                    code, _ = caller.refused(b"\xff", f"/{service}/{method.name}")
                    expect((method.full_name, code), (method.full_name, "INVALID_ARGUMENT"))
            v3 = "envoy.service.ratelimit.v3."
            for symbol in (v3 + "RateLimitService.ShouldRateLimit", v3 + "RateLimitResponse.RateLimit.Unit",
                           v3 + "RateLimitResponse.RateLimit.unit", "google.protobuf.Struct"):
                expect(reflection.ask(rls.nested(4, symbol.encode()))[0][0], 4)
            base = b"envoy/config/core/v3/base.proto"
            expect(reflection.ask(rls.nested(3, base), rls.nested(6, (v3 + "RateLimitRequest").encode()))[1],
                   (5, rls.nested(1, (v3 + "RateLimitRequest").encode())))
            for question in (rls.nested(3, b"other.proto"), rls.nested(4, b"envoy.service.ratelimit.v3"),
                             rls.nested(4, (v3 + "Nothing").encode()), rls.nested(4, (v3 + "RateLimitRequest.").encode()),
                             rls.nested(4, b""), rls.nested(4, b"."), rls.nested(6, b"other.Message"), rls.nested(5, b"")):
                field, error = reflection.ask(question)[0]
                expect((field, dict(rls.fields(error))[1]), (7, grpc.StatusCode.NOT_FOUND.value[0]))
        path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        for question in (b"", b"\x22\x05a", rls.nested(4, b"\xff")):
            expect(caller.refused(question, path)[0], "INVALID_ARGUMENT")


def random_request(random, kind):
    """A request with anything that it can have."""
    text = ("", "a", "path", "/login", "\u00e9\u4e2d", "x" * 200, "nul\0inside")
    asked = kind(domain="web", hits_addend=random.choice((0, 0, 1, 3, 2**32 - 1)))
    for _ in range(random.randint(1, 12)):
        descriptor = asked.descriptors.add(is_negative_hits=random.random() < 0.1)
        for _ in range(random.randint(1, 4)):
            descriptor.entries.add(key=random.choice(text) or "k", value=random.choice(text))
        if random.random() < 0.3:
            descriptor.limit.requests_per_unit = random.choice((0, 1, 5, 2**32 - 1))
            descriptor.limit.unit = random.randint(1, 7)
        if random.random() < 0.3:
            descriptor.hits_addend.value = random.choice((0, 1, 7))
    return asked


def test_messages_are_as_protobuf_has_them(weir):
    random = Random(int(os.environ.get("WEIR_SEED", "1")))
    with Drop(weir, {"web.yaml": FILE}, {"LIMIT_RESPONSE_HEADERS_ENABLED": "true"}) as server, server.caller() as caller:
        pool = Reflection(caller, "v1").pool(["envoy.service.ratelimit.v3.RateLimitService"])
        ask_kind = message_class(pool, "envoy.service.ratelimit.v3.RateLimitRequest")
        answer_kind = message_class(pool, "envoy.service.ratelimit.v3.RateLimitResponse")
        for _ in range(300):
            asked = random_request(random, ask_kind)
            data = caller.method(asked.SerializeToString(), timeout=rig.PATIENCE, wait_for_ready=True)
            answer = answer_kind.FromString(data)
            expect(len(answer.statuses), len(asked.descriptors))
            expect(answer.overall_code in (1, 2), True)
            # What protobuf would write is what we write, to the byte.
            expect(answer.SerializeToString(deterministic=True), data)
            # A limit that comes along is told as it came.
            for told, descriptor in zip(answer.statuses, asked.descriptors):
                if descriptor.HasField("limit"):
                    expect((told.current_limit.requests_per_unit, told.current_limit.unit),
                           (descriptor.limit.requests_per_unit, descriptor.limit.unit))


def test_what_is_no_http2_is_closed(weir):
    with Scene(weir) as scene, scene.caller() as caller:
        expect(caller.ask("web", rls.descriptor(("a", "b")))["code"], "OK")
        with socket.create_connection(("127.0.0.1", scene.ports["grpc"]), rig.PATIENCE) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while peer.recv(4096):
                pass
        expect(caller.ask("web", rls.descriptor(("a", "b")))["code"], "OK")


def test_files_of_envoyproxy_ratelimit(weir):
    with Drop(weir, {"web.yaml": FILE, "atomic.yaml": ATOMIC}, {"LIMIT_RESPONSE_HEADERS_ENABLED": "true"}) as server, \
            server.caller() as caller:
        path = rls.descriptor(("path", "/a"))
        user = rls.descriptor(("user", "u"))
        answer = caller.ask("web", path, user, rls.descriptor(("user", "vip1")), rls.descriptor(("none", "")))
        expect(codes(answer), ["OK"] * 5)
        expect([each["remaining"] for each in answer["statuses"]], [2, 9, 0xffffffff, 0])
        expect(answer["statuses"][0]["limit"], (3, "DAY", "path"))
        expect((answer["headers"]["RateLimit-Limit"], answer["headers"]["RateLimit-Remaining"]), ("3", "2"))
        expect(0 < answer["statuses"][0]["reset"] <= 86400, True)
        # More than is left: denied, and what was left is used up, as its counter would be past it.
        expect(codes(caller.ask("web", path, hits=3)), ["OVER_LIMIT", "OVER_LIMIT"])
        expect(codes(caller.ask("web", path)), ["OVER_LIMIT", "OVER_LIMIT"])
        # The others are charged all the same; in a domain that says so, they are not.
        caller.ask("web", path, user)
        expect(caller.ask("web", rls.descriptor(("user", "u"), hits=0))["statuses"][0]["remaining"], 8)
        expect(codes(caller.ask("atomic", path, user, hits=4)), ["OVER_LIMIT", "OVER_LIMIT", "OK"])
        answer = caller.ask("atomic", rls.descriptor(("path", "/a"), hits=0), rls.descriptor(("user", "u"), hits=0))
        expect([each["remaining"] for each in answer["statuses"]], [3, 10])
        body = json.dumps({"domain": "web", "descriptors": [{"entries": [{"key": "path", "value": "/a"}]}]})
        answer = ask(server.http, "POST", "/json", body=body)
        expect((answer.status, answer.json()["overallCode"]), (429, "OVER_LIMIT"))
        expect(ask(server.http, "POST", "/json", body="{").status, 400)
        expect("web.path: unit=DAY requests_per_unit=3," in ask(server.debug, "GET", "/rlconfig").body, True)
        expect("ratelimit.service.rate_limit.web.path.total_hits: 7\n" in ask(server.debug, "GET", "/stats").body, True)
        expect('{domain="web",key1="path"} 7\n' in ask(server.debug, "GET", "/metrics").body, True)
        expect(ask(server.http, "GET", "/stats").status, 403)


def test_files_are_read_again(weir):
    with Drop(weir, {"web.yaml": FILE}) as server, server.caller() as caller:
        path = rls.descriptor(("path", "/a"))
        for _ in range(3):
            expect(caller.ask("web", path)["code"], "OK")
        expect(caller.ask("web", path)["code"], "OVER_LIMIT")
        # What is wrong is not taken on; a raised limit is felt at once, and what was taken is.
        server.write("web.yaml", "domain: web\ndescriptors: [{nonsense: 1}]\n")
        rig.wait(lambda: "config_load_error: 1" in ask(server.debug, "GET", "/stats").body, "the file is refused")
        expect(caller.ask("web", path)["code"], "OVER_LIMIT")
        server.write("web.yaml", FILE.replace("requests_per_unit: 3", "requests_per_unit: 5"))
        rig.wait(lambda: "requests_per_unit=5," in ask(server.debug, "GET", "/rlconfig").body, "the file is taken on")
        expect(caller.ask("web", path)["statuses"][0]["remaining"], 1)


def test_the_callers_deadline_holds_where_redis_hangs(weir):
    with rig.Redis() as redis, Drop(weir, {"web.yaml": FILE.replace("name: path}", "name: path, on_error: deny}")},
                                    {"REDIS_URL": f"127.0.0.1:{redis.port}", "REDIS_TIMEOUT": "10s"}) as server, \
            server.caller() as caller:
        path = rls.descriptor(("path", "/a"))
        expect(caller.ask("web", path)["statuses"][0]["remaining"], 2)
        redis.pause()
        # By on_error, before the caller gives up: one rule denies, the other goes on in memory.
        expect(caller.ask("web", path, timeout=1)["code"], "OVER_LIMIT")
        expect(caller.ask("web", rls.descriptor(("user", "u")), timeout=1)["code"], "OK")
        redis.resume()


if __name__ == "__main__":
    main(globals())
