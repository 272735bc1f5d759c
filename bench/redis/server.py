"""The redis-server that is measured: started for it, pinned to a processor, asked over a socket."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time

from programs import pinned_to

# What a page of MONITOR shows of one argument.
ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"')
ESCAPED = re.compile(r"\\x([0-9a-f]{2})|\\(.)")
LETTERS = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b"}
START_SECONDS = 20


def encode(*arguments):
    """A command as it goes over the wire."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        value = argument if isinstance(argument, bytes) else str(argument).encode("utf-8")
        parts.append(b"$%d\r\n%s\r\n" % (len(value), value))
    return b"".join(parts)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Connection:
    """Asks one thing at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def line(self):
        return self.file.readline().decode("utf-8", "backslashreplace").rstrip("\r\n")

    def reply(self):
        line = self.line()
        if line[:1] == "-":
            sys.exit(f"bench: Redis answered: {line}")
        if line[:1] == "$":
            return self.file.read(int(line[1:]) + 2)[:-2].decode("utf-8")
        return int(line[1:]) if line[:1] == ":" else line[1:]

    def call(self, *arguments):
        self.socket.sendall(encode(*arguments))
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()


def arguments_of(line):
    """A command's arguments, from a line of MONITOR; None for one of a script's own."""
    head, _, rest = line.partition("] ")
    if head.endswith(" lua"):
        return None
    def plain(match):
        return chr(int(match[1], 16)) if match[1] else LETTERS.get(match[2], match[2])
    return [ESCAPED.sub(plain, text).encode("latin-1") for text in ARGUMENT.findall(rest)]


def server_program():
    """The path of redis-server, or None. Debian's redis-tools has it under the name of one of its tools; which it
    is, it sees by the name that it is called by. (The package redis-server would start one for good.)"""
    return shutil.which("redis-server") or shutil.which("redis-check-rdb")


class Server:
    """A redis-server of its own, without a file to its name."""

    def __init__(self, folder, processor):
        os.makedirs(folder, exist_ok=True)
        self.port = free_port()
        self.path = server_program()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", folder, "--loglevel", "warning"], executable=self.path,
            stdout=subprocess.DEVNULL, preexec_fn=pinned_to(processor))
        self.control = self.connect()

    def connect(self):
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return Connection(self.port)
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    sys.exit("bench: redis-server does not start")
                time.sleep(0.01)

    def info(self, section):
        text = self.control.call("INFO", section)
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def processor_us(self):
        """What it has taken of a processor till now."""
        cpu = self.info("cpu")
        return (float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])) * 1e6

    def used_memory(self):
        return int(self.info("memory")["used_memory"])

    def version(self):
        facts = {**self.info("server"), **self.info("memory")}
        name = "Valkey" if "valkey_version" in facts else "Redis"
        version = facts.get("valkey_version", facts["redis_version"])
        return f"{name} {version}, {facts['mem_allocator']}"

    def heard(self, act):
        """The commands that Redis gets while `act` is run, each as its list of arguments."""
        listener = Connection(self.port)
        listener.call("MONITOR")
        act()
        self.control.call("ECHO", "that was all")
        commands = []
        while True:
            command = arguments_of(listener.line())
            if command == [b"ECHO", b"that was all"]:
                listener.close()
                return commands
            if command is not None:
                commands.append(command)

    def close(self):
        self.control.close()
        self.process.terminate()
        self.process.wait()
