#!/usr/bin/env python3
"""examples_test.py - runs examples, and says whether they told what they should.

    examples_test.py run NAME PROGRAM
        runs one example as the build made it, and compares what it prints with EXPECTED below.

    examples_test.py installed SOURCE BUILD CC...
        installs the library into a folder of its own, as a package would, and compiles every example
        and every block of C in docs/manual/c.md against what is there, found by pkg-config alone: with
        the shared library and with the static one. Runs the examples, and compares as above.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402

WARNINGS = ["-std=gnu17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]

EXPECTED = {
    "ten_lines": "allowed\n" * 5 + "denied\n" * 2,
    "server_loop": """\
alice sent 100: 25 admitted, 75 refused
bob   sent 100: 25 admitted, 75 refused
carol sent 100: 25 admitted, 75 refused
dave  sent 100: 25 admitted, 75 refused
4 threads have ended, the store is closed
""",
    "prefork": """\
4 workers asked 2000 times
admitted in all: 1000 of the 1000 that were allowed
""",
    "brute_force": """\
A guesser tries a password on alice's account every 10 s:
   0:00  alice  from 198.51.100.7  wrong password
   0:10  alice  from 198.51.100.7  wrong password
   0:20  alice  from 198.51.100.7  wrong password
   0:30  alice  from 198.51.100.7  wrong password
   0:40  alice  from 198.51.100.7  wrong password
   0:50  alice  from 198.51.100.7  account blocked, try again in 1031 s
   1:00  alice  from 198.51.100.7  account blocked, try again in 1021 s
Alice comes: too soon; and when the block is over and the guesses are forgotten:
   5:00  alice  from 192.0.2.1     account blocked, try again in 781 s
  30:00  alice  from 192.0.2.1     welcome
Another tries one password on 100 accounts from one address, one a second:
  20 passwords were looked at, 80 times the address was denied
An owner of one of those accounts does not notice:
  42:00  user3  from 192.0.2.44    welcome
Bob's mail program logs in every 30 s: welcome 1000 times of 1000
""",
    "tiers": """\
On the free plan, 10 a minute, the eleventh request has to wait:
  0 s  free        12 requests:  10 admitted,   0 remaining, next in 6000 ms
  3 s  free         1 requests:   0 admitted,   0 remaining, next in 3000 ms
The customer pays. What was used is still used, but it comes back ten times as fast:
  3 s  pro         12 requests:   5 admitted,   0 remaining, next in 600 ms
  9 s  pro         10 requests:  10 admitted,   0 remaining
And pays more. That bucket fills in 10 s, so the debt of a minute becomes one of 10 s:
 10 s  enterprise 100 requests:   0 admitted,   0 remaining, next in 20 ms
 12 s  enterprise 200 requests: 100 admitted,   0 remaining, next in 20 ms
Back on the free plan the debt of then is kept, which the smaller bucket can hold:
 12 s  free        12 requests:   8 admitted,   0 remaining, next in 4000 ms
""",
}

# With a store over Redis, whose URL they are given.
EXPECTED_OVER_REDIS = {
    "shared_budget": """\
4 processes asked 2000 times
admitted in all: 1000 of the 1000 that were allowed
""",
    "uv_loop": "10 asked, 3 admitted, the loop is empty\n",
}


def fail(message):
    sys.exit(f"examples_test: {message}")


def run(arguments, **options):
    """Runs a command to its end; where it fails, so does the test, with all it said."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, **options)
    if done.returncode != 0:
        said = done.stdout + done.stderr
        fail(f"{' '.join(map(str, arguments))}\nended with {done.returncode}:\n{said}")
    return done.stdout


def check_output(name, command, **options):
    if name in EXPECTED:
        expected, got = EXPECTED[name], run(command, **options)
    else:
        with rig.Redis() as redis:
            expected, got = EXPECTED_OVER_REDIS[name], run(command + [redis.url + "?deadline=20s"], **options)
    if got != expected:
        fail(f"{name} printed\n{got}\nand not\n{expected}")


def c_blocks(path):
    with open(path, encoding="utf-8") as page:
        return re.findall(r"^```c\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL)


def check_manuals(folder):
    """Every public function has a page under its own name, with a synopsis of it."""
    found = {name: os.path.join(at, name) for at, _, files in os.walk(folder) for name in files}
    functions = set()
    for name, least in (("weir.h", 20), ("store.h", 2), ("redis.h", 3)):
        with open(found[name], encoding="utf-8") as header:
            text = re.sub(r"/\*.*?\*/", "", header.read(), flags=re.DOTALL)
        declared = set(re.findall(r"^(?:WEIR_API|static inline)[^;{]*?\b(weir_\w+)\(", text, re.M))
        if len(declared) < least:
            fail(f"{name} was read as having only {sorted(declared)}")
        functions |= declared
    for function in sorted(functions):
        if function + ".3" not in found:
            fail(f"{function} has no manual page")
        with open(found[function + ".3"], encoding="utf-8") as page:
            if not re.search(rf"^\.F[no] {function}\b", page.read(), re.M):
                fail(f"{function}(3) does not show it")


def check_readme(source):
    """The README's program is the smallest example, which is compiled and run here, without its head."""
    with open(os.path.join(source, "examples/ten_lines.c"), encoding="utf-8") as file:
        program = re.sub(r"\A/\*.*?\*/\n\n", "", file.read(), flags=re.DOTALL)
    if c_blocks(os.path.join(source, "README.md")) != [program]:
        fail("the block of C in README.md is not examples/ten_lines.c")


def installed_over_redis(source, folder, compiler, found, where):
    """Programs of users of libweir-redis, with the shared libraries and with the static ones."""
    flags = run(["pkg-config", "--cflags", "weir-redis"], env=found).split()
    system = ["-luv", "-lssl", "-lcrypto", "-pthread"]
    shared = run(["pkg-config", "--libs", "weir-redis"], env=found).split() + ["-luv"]
    static = [os.path.join(where["LD_LIBRARY_PATH"], name) for name in ("libweir-redis.a", "libweir.a")] + system
    for name in EXPECTED_OVER_REDIS:
        program = os.path.join(folder, name)
        for link in (shared, static):
            example = os.path.join(source, "examples", name + ".c")
            run(compiler + WARNINGS + flags + [example, "-o", program] + link)
            check_output(name, [program], env=where)


def installed(source, build, compiler):
    check_readme(source)
    with tempfile.TemporaryDirectory(prefix="weir-installed-") as folder:
        run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", folder])
        libraries = [at for at, _, files in os.walk(folder) if "libweir.a" in files]
        if len(libraries) != 1:
            fail(f"libweir.a was installed into {libraries}")
        library = libraries[0]
        check_manuals(folder)
        found = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=folder,
                     PKG_CONFIG_LIBDIR=os.path.join(library, "pkgconfig"))
        flags = run(["pkg-config", "--cflags", "weir"], env=found).split()
        shared = run(["pkg-config", "--libs", "weir"], env=found).split()
        for flag in flags + shared:
            if not flag.startswith(("-I" + folder, "-L" + folder, "-lweir")):
                fail(f"pkg-config says {flag}, which is nothing of the package")
        where = {**os.environ, "LD_LIBRARY_PATH": library}
        for name in EXPECTED:
            example = os.path.join(source, "examples", name + ".c")
            program = os.path.join(folder, name)
            for link in (shared, [os.path.join(library, "libweir.a")]):
                run(compiler + WARNINGS + flags + ["-pthread", example, "-o", program] + link)
                check_output(name, [program], env=where)
        installed_over_redis(source, folder, compiler, found, where)
        blocks = c_blocks(os.path.join(source, "docs/manual/c.md"))
        blocks += c_blocks(os.path.join(source, "docs/manual/redis.md"))
        if len(blocks) < 2:
            fail("the manual has no blocks of C")
        for number, block in enumerate(blocks):
            path = os.path.join(folder, f"block{number + 1}.c")
            with open(path, "w", encoding="utf-8") as file:
                file.write(block)
            run(compiler + WARNINGS + flags + ["-c", path, "-o", path + ".o"])


def main():
    arguments = sys.argv[1:]
    if len(arguments) >= 3 and arguments[0] == "run":
        # What runs programs of another processor, where the build is for one.
        wrapper = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))
        check_output(arguments[1], wrapper + arguments[2:])
    elif len(arguments) >= 4 and arguments[0] == "installed":
        installed(arguments[1], arguments[2], arguments[3:])
    else:
        fail("see the head of this file for what to pass")


if __name__ == "__main__":
    main()
