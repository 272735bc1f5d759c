"""cli_support - what the tests of the program share: running it, and reporting in TAP.

A test file has functions test_*(weir); each gets a Program of its own, with a folder that is removed afterwards, and
ends in `main(globals())`. The program's path is the first argument.
"""

import inspect
import json
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import traceback
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

COMMANDS = ("serve", "validate", "explain", "check", "limit", "reset", "refund", "stats", "top", "store", "bench",
            "demo")


class Result:
    """What a run came to: code, out and err as text, and the output's bytes."""

    def __init__(self, code, out, err):
        self.code = code
        self.bytes = out
        self.out = out.decode("utf-8", "surrogateescape")
        self.err = err.decode("utf-8", "surrogateescape")

    def objects(self):
        """The output as JSON, an object a line."""
        return [json.loads(line) for line in self.bytes.decode("utf-8").split("\n") if line]


class Program:
    """The program under test, and a folder for its files."""

    def __init__(self, path, folder):
        self.path = path
        self.folder = folder

    def file(self, name):
        return os.path.join(self.folder, name)

    def store(self, name="table"):
        return f"shm:{self.file(name)}?size=64KiB"

    @staticmethod
    def environment(extra):
        kept = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "PATH"}
        return {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm", **(extra or {})}

    def run(self, *arguments, stdin=b"", env=None, **options):
        done = subprocess.run([self.path, *arguments], input=stdin, capture_output=True, timeout=100,
                              env=self.environment(env), check=False, **options)
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments, env=None, **options):
        return subprocess.Popen([self.path, *arguments], env=self.environment(env), **options)

    def on_terminal(self, *arguments, env=None, on_output=None):
        """Runs it with a terminal as its standard descriptors; gives the code and all that was shown, with
        what on_output(process, so far) may do meanwhile."""
        master, slave = pty.openpty()
        process = self.start(*arguments, env=env, stdin=slave, stdout=slave, stderr=slave,
                             start_new_session=True)
        os.close(slave)
        shown = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                part = os.read(master, 65536)
            except OSError:  # Linux: nobody has the terminal open any more
                break
            if not part:
                break
            shown += part
            if on_output:
                on_output(process, shown)
        os.close(master)
        return process.wait(timeout=10), shown.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def options_of(weir, command):
    """The long options that `weir COMMAND --help` names, each with its letter or None."""
    found = re.findall(r"^  (?:-(\w), )? *--([a-z-]+)", weir.run(command, "--help").out, re.MULTILINE)
    assert found, command
    return {name: letter or None for letter, name in found}


def expect(actual, expected, what=""):
    """Fails with both where they differ."""
    assert actual == expected, f"{what}\n expected {expected!r}\n but got  {actual!r}"


def main(names):
    tests = [(name, function) for name, function in names.items()
             if name.startswith("test_") and inspect.isfunction(function)]
    print(f"1..{len(tests)}", flush=True)
    failed = False
    for number, (name, function) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory(prefix="weir-test-") as folder:
            try:
                function(Program(os.path.abspath(sys.argv[1]), folder))
                print(f"ok {number} - {name}", flush=True)
            except Exception:  # whatever went wrong, the next test is to run
                failed = True
                trace = traceback.format_exc().replace("\n", "\n# ")
                print(f"not ok {number} - {name}\n# {trace}", flush=True)
    sys.exit(1 if failed else 0)
