#!/usr/bin/env python3
"""server_proxies - real proxies in front of a real server, each configured as docs/manual/proxies.md has it: who is
denied, what the client is told, and that nobody gets past by what it writes into headers or paths."""

import contextlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cli_support import ROOT, expect, main  # noqa: E402
from http_support import Application, Running, Server, ask, rig  # noqa: E402

PAGE = os.path.join(ROOT, "docs", "manual", "proxies.md")


def block(kind, start=""):
    """The page's block of that kind which begins so."""
    with open(PAGE, encoding="utf-8") as page:
        found = re.findall(rf"^```{kind}\n({re.escape(start)}.*?)^```$", page.read(), re.M | re.S)
    expect(len(found), 1)
    return found[0]


def program(name):
    done = subprocess.run([os.path.join(ROOT, "tools", "proxies"), name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChildProcessError(done.stderr)
    return done.stdout.split()[2]


class Proxy(Running):
    """One of them, on the page's configuration with ports and paths of this test."""

    def __init__(self, folder, name, server, application):
        self.port = rig.Port()
        self.folder = folder
        self.name = name
        self.path = os.path.join(folder, name + ".conf")
        self.ports = {"127.0.0.1:8000": self.port.number, "127.0.0.1:8080": server.port.number,
                      "127.0.0.1:3000": application.port}
        super().__init__(folder, name, getattr(self, "as_" + name)(program(name)), cwd=folder,
                         env={"PATH": os.environ["PATH"], "HOME": folder})

    def ready(self):
        ask(self.port.number, "GET", "/ready", source="127.0.0.99")
        return True

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        self.port.release()

    def write(self, text):
        for address, port in self.ports.items():
            text = text.replace(address, f"127.0.0.1:{port}")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def as_nginx(self, path):
        temporary = "\n".join(f"    {name}_temp_path {self.folder}/{name};"
                              for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write(f"daemon off;\nmaster_process off;\npid {self.folder}/nginx.pid;\nerror_log stderr;\n"
                   f"events {{}}\nhttp {{\n    access_log off;\n{temporary}\n{self.nginx_block()}}}\n")
        return [path, "-p", self.folder, "-e", "stderr", "-c", self.path]

    @staticmethod
    def nginx_block():
        return block("nginx", "upstream")

    def as_caddy(self, path):
        self.write("{\n\tadmin off\n\tauto_https off\n}\n" + block("caddyfile"))
        return [path, "run", "--adapter", "caddyfile", "--config", self.path]

    def as_traefik(self, path):
        self.path += ".yaml"
        self.write(block("yaml", "# traefik.yaml"))
        return [path, f"--entryPoints.web.address=127.0.0.1:{self.port.number}", f"--providers.file.filename={self.path}",
                "--global.checknewversion=false", "--global.sendanonymoususage=false"]

    def as_haproxy(self, path):
        self.write(block("haproxy"))
        return [path, "-db", "-f", self.path]


class Traefik(Proxy):
    def ready(self):
        """It listens before it has read its routes."""
        return ask(self.port.number, "GET", "/ready", source="127.0.0.99").status == 200


class OpenNginx(Proxy):
    """The one that lets all pass where weir is gone."""

    @staticmethod
    def nginx_block():
        text = Proxy.nginx_block()
        for before, more in (("internal;", block("nginx", "proxy_intercept")),
                             ("location @limited", block("nginx", "location @open"))):
            expect(text.count(before), 1)
            text = text.replace(before, more + before)
        return text


def policy():
    return block("yaml", "# weir.yaml").replace("127.0.0.1:8080", "127.0.0.1:{http}")


def through(proxy, source, headers=None, path="/login", method="POST"):
    body = b"" if method == "POST" else None
    return ask(proxy.port.number, method, path, headers, body, source=source)


def holds_the_limit(proxy, application, tells=True):
    """Three an hour from an address, and then 429, told with when to come back."""
    for left in (2, 1, 0):
        answer = through(proxy, "127.0.0.2")
        expect((answer.status, answer.body), (200, "application\n"))
        if tells:
            expect(answer.headers["RateLimit-Policy"], '"login";q=3;w=3600')
            expect(answer.headers["RateLimit"].split(";t=")[0], f'"login";r={left}')
    answer = through(proxy, "127.0.0.2")
    expect(answer.status, 429)
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600, answer.headers
    expect(answer.headers["RateLimit"], f'"login";r=0;t={answer.headers["Retry-After"]}')
    expect(sum("POST /login" in line for line in application.seen), 3)
    # Another's budget is another's, and what no rule is for is not limited.
    expect(through(proxy, "127.0.0.3").status, 200)
    expect([through(proxy, "127.0.0.2", method="GET").status for _ in range(5)], [200] * 5)


def is_not_fooled(proxy):
    """127.0.0.2 has used up its budget: whatever it writes, it is denied, or refused."""
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Method", "X-Forwarded-Uri",
                 "X-Original-Method", "X-Original-URI", "X-Original-URL", "X-Forwarded-Host"):
        value = {"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1", "Forwarded": "for=192.0.2.1"}.get(name, "/x")
        answer = through(proxy, "127.0.0.2", {name: value})
        assert answer.status in (429, 400, 500), (name, answer.status)
    for path in ("/%6Cogin", "//login", "/a/../login", "/./login", "/login?x=y"):
        answer = through(proxy, "127.0.0.2", path=path)
        assert answer.status in (429, 400, 308, 301), (path, answer.status)
    expect(through(proxy, "127.0.0.4", {"X-Forwarded-For": "127.0.0.2"}).status, 200)


def stands(weir, name, kind=Proxy, tells=True):
    with Application() as application, Server(weir, policy()) as server, \
            kind(weir.folder, name, server, application) as proxy:
        holds_the_limit(proxy, application, tells)
        is_not_fooled(proxy)


def test_nginx_asks_by_auth_request(weir):
    stands(weir, "nginx")


def test_nginx_without_weir_is_closed_or_open(weir):
    for kind, status in ((Proxy, 500), (OpenNginx, 200)):
        with Application() as application, contextlib.ExitStack() as weirs:
            server = weirs.enter_context(Server(weir, policy()))
            with kind(weir.folder, "nginx", server, application) as proxy:
                expect([through(proxy, "127.0.0.2").status for _ in range(4)], [200, 200, 200, 429])
                weirs.close()
                expect([through(proxy, "127.0.0.3").status for _ in range(5)], [status] * 5)


def test_caddy_asks_by_forward_auth(weir):
    stands(weir, "caddy", tells=False)


def test_traefik_asks_by_forward_auth(weir):
    stands(weir, "traefik", Traefik, tells=False)


def test_haproxy_stands_before_it(weir):
    """Who asks through it is who its X-Forwarded-For says, not who the asker says."""
    headers = {"X-Forwarded-Method": "POST", "X-Forwarded-Uri": "/login"}
    with Application() as application, Server(weir, policy()) as server, \
            Proxy(weir.folder, "haproxy", server, application) as proxy:
        rig.wait(lambda: through(proxy, "127.0.0.9", path="/readyz", method="GET").status == 200, "haproxy finds it ready")
        for forged in (None, "192.0.2.1", "192.0.2.2, 192.0.2.3"):
            more = {"X-Forwarded-For": forged} if forged else {}
            expect(through(proxy, "127.0.0.2", {**headers, **more}, "/v1/forward-auth", "GET").status, 200)
        for more in ({}, {"X-Forwarded-For": "192.0.2.4"}, {"X-Real-IP": "192.0.2.4"}, {"Forwarded": "for=192.0.2.4"}):
            expect(through(proxy, "127.0.0.2", {**headers, **more}, "/v1/forward-auth", "GET").status, 429)
        expect(through(proxy, "127.0.0.3", headers, "/v1/forward-auth", "GET").status, 200)


main(globals())
