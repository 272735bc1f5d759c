"""The servers that bench/serve/serve_measure.py compares: each started on one processor, on ports of its own."""

import glob
import os
import re
import shutil
import subprocess
import sys
import time

from programs import BUILD, ROOT, must, pinned_to
from server import free_port, server_program

sys.path[:0] = [os.path.join(ROOT, "test", "support")]
import rig  # noqa: E402

THROTTLECRAB = "0.4.40"
REDIS_CELL = "0.2.2"
START_SECONDS = 20
PACKAGES = ["protobuf-compiler", "libprotoc32", "libprotobuf32", "libprotobuf-dev"]

POLICY = ("workers: 1", "top: 0", "log: {denials: 0}", "rules:",
          "  - name: each", "    key: [user]", "    limit: 600/m burst 100",
          "  - name: forwarded", "    key: [header.user]", "    limit: 600/m burst 100")


class Weir:
    """weir serve with one worker."""

    def __init__(self, program, processor, *lines):
        self.server = rig.Weir(program, *(lines or POLICY),
                               arguments={"preexec_fn": pinned_to(processor)})
        self.pid, self.resp, self.http = self.server.pid, self.server.resp, self.server.http

    def close(self):
        self.server.stop()


class Other:
    """A server of another's, which listens at `port`."""

    def __init__(self, command, port, processor, executable=None, worker=False, settings=None):
        self.resp = self.http = port
        self.process = subprocess.Popen(command, executable=executable, preexec_fn=pinned_to(processor),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={**os.environ, **(settings or {})})
        until = time.monotonic() + START_SECONDS
        self.pid = self.process.pid
        # It listens before it has its worker.
        while not rig._listens(port) or (worker and not self.children()):
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit(f"bench: {command[0]} does not start")
            time.sleep(0.01)
        if worker:
            self.pid = self.children()[0]

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def close(self):
        self.process.terminate()
        self.process.wait()


def redis(processor, *arguments):
    port = free_port()
    return Other(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                  *arguments], port, processor, executable=server_program())


# ---- Others, who have to be had first ----------------------------------------------------------


def protoc():
    """A protoc: the system's, or Debian's packages unpacked."""
    if shutil.which("protoc"):
        return shutil.which("protoc")
    folder = os.path.join(BUILD, "serve", "protoc")
    path = os.path.join(folder, "run")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        must(["apt-get", "download", *PACKAGES], cwd=folder)
        for package in glob.glob(os.path.join(folder, "*.deb")):
            must(["dpkg-deb", "-x", package, folder])
        with open(path, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nLD_LIBRARY_PATH="$(echo {folder}/usr/lib/*-linux-gnu)" '
                       f'exec {folder}/usr/bin/protoc "$@"\n')
        os.chmod(path, 0o755)
    return path


def throttlecrab(processor):
    """(server, "") or (None, why not)."""
    if shutil.which("cargo") is None:
        return None, "there is no cargo here"
    folder = os.path.join(BUILD, "serve", "throttlecrab")
    program = os.path.join(folder, "bin", "throttlecrab-server")
    if not os.path.exists(program):
        done = subprocess.run(["cargo", "install", "throttlecrab-server", "--version", THROTTLECRAB, "--locked",
                               "--root", folder], env={**os.environ, "PROTOC": protoc()}, capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            return None, "it did not build: " + done.stderr.strip().split("\n")[-1]
    port = free_port()
    return Other([program, "--redis", "--redis-host", "127.0.0.1", "--redis-port", str(port), "--log-level",
                  "error"], port, processor, settings={"TOKIO_WORKER_THREADS": "1"}), ""


def redis_cell(processor):
    """redis-server with the module, which crates.io has as a library: its source is built where it lies."""
    if shutil.which("cargo") is None:
        return None, "there is no cargo here"
    folder = os.path.join(BUILD, "serve", "redis-cell")
    module = os.path.join(folder, "target", "release", "libredis_cell.so")
    if not os.path.exists(module):
        why = build_redis_cell(folder)
        if why:
            return None, why
    return redis(processor, "--loadmodule", module), ""


def build_redis_cell(folder):
    shutil.rmtree(folder, ignore_errors=True)
    fetch = folder + "-fetch"
    shutil.rmtree(fetch, ignore_errors=True)
    must(["cargo", "init", "--lib", "--name", "fetch", "-q", fetch])
    must(["cargo", "add", "-q", f"redis-cell@={REDIS_CELL}"], cwd=fetch)
    must(["cargo", "vendor", "-q"], cwd=fetch)
    shutil.copytree(os.path.join(fetch, "vendor", "redis-cell"), folder)
    with open(os.path.join(folder, "Cargo.toml"), "a", encoding="utf-8") as file:
        file.write("\n[workspace]\n")
    done = subprocess.run(["cargo", "build", "--release"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    found = re.search(r"^error.*$", done.stderr, re.MULTILINE)
    return f"redis-cell {REDIS_CELL}, crates.io's newest, does not build: {found[0] if found else 'no reason given'}"


NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }}
}}
"""


def nginx(processor):
    done = subprocess.run([os.path.join(ROOT, "tools", "proxies"), "nginx"], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        return None, "tools/proxies nginx failed"
    folder = os.path.join(BUILD, "serve", "nginx")
    os.makedirs(folder, exist_ok=True)
    port = free_port()
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as file:
        file.write(NGINX.format(folder=folder, port=port))
    program = done.stdout.split()[2]
    return Other([program, "-p", folder, "-e", os.path.join(folder, "error.log"), "-c",
                  os.path.join(folder, "nginx.conf")], port, processor, worker=True), ""
