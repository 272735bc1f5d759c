"""The libraries of others that keep their limits in Redis: built, started, and listened to.

Each is a program in its own language that answers `once LIMIT KEY` and `run LANES KEYS MS`. What
such a program reaches, its language decides as much as Redis does. So it is also heard, by MONITOR,
what a library sends for one decision, and that is played again by the C program (wire.c)."""

import json
import os
import re
import shutil
import subprocess
import sys

from programs import BUILD, Program, first_line

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(BUILD, "redis")

# The key that stands for any, in what was heard; load.h knows it too.
PLACEHOLDER = "user:00000000000"
# Keys of a limit of their own.
DENIED = "d:" + PLACEHOLDER


def read(*path):
    with open(os.path.join(HERE, *path), encoding="utf-8") as file:
        return file.read()


def tried(command, **options):
    """None, or why it did not work."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode == 0:
        return None
    lines = done.stdout.strip().split("\n")
    return f"{os.path.basename(command[0])} failed: {lines[-1]}"


def prepare_go():
    """(command, environment, None), or (None, None, why not); so the others."""
    if shutil.which("go") is None:
        return None, None, "there is no go here (it takes Go 1.26 or newer: https://go.dev/dl/)"
    program = os.path.join(BUILD, "bench-redis-go")
    why = tried(["go", "build", "-mod=readonly", "-o", program, "."],
                cwd=os.path.join(HERE, "go"))
    return [program], None, why


def prepare_node():
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None, None, "there is no node with npm here (it takes Node.js 20 or newer)"
    folder = os.path.join(FOLDER, "node")
    os.makedirs(folder, exist_ok=True)
    wanted = read("node", "package-lock.json")
    mark = os.path.join(folder, "node_modules", ".weir-bench")
    environment = {**os.environ, "NODE_PATH": os.path.join(folder, "node_modules")}
    command = ["node", os.path.join(HERE, "node", "client.js")]
    if os.path.exists(mark) and first_text(mark) == wanted:
        return command, environment, None
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, "node", name), folder)
    why = tried(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    if why is None:
        write(mark, wanted)
    return command, environment, why


def prepare_python():
    folder = os.path.join(FOLDER, "python")
    mark = os.path.join(folder, ".weir-bench")
    wanted = read("python", "requirements.txt") + sys.version
    environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, os.path.join(HERE, "python", "client.py")]
    if os.path.exists(mark) and first_text(mark) == wanted:
        return command, environment, None
    if tried([sys.executable, "-m", "pip", "--version"]) is not None:
        return None, None, "there is no pip here (Debian's package python3-pip)"
    shutil.rmtree(folder, ignore_errors=True)
    why = tried([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary",
                 ":all:", "--disable-pip-version-check", "--root-user-action", "ignore",
                 "--target", folder, "-r", os.path.join(HERE, "python", "requirements.txt")])
    if why is None:
        write(mark, wanted)
    return command, environment, why


def first_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def versions():
    """What each is, from where its version is pinned."""
    go = dict(re.findall(r"^\s*(github.com/\S+) (v\S+)$", read("go", "go.mod"), re.M))
    node = json.loads(read("node", "package.json"))["dependencies"]
    python = dict(re.findall(r"^(\S+)==(\S+)$", read("python", "requirements.txt"), re.M))
    return {
        "redis_rate": f"github.com/go-redis/redis_rate/v10 "
                      f"{go['github.com/go-redis/redis_rate/v10']}, go-redis "
                      f"{go['github.com/redis/go-redis/v9']}, {first_line(['go', 'version'])}",
        "rate-limiter-flexible": f"rate-limiter-flexible {node['rate-limiter-flexible']}, ioredis "
                                 f"{node['ioredis']}, Node.js {first_line(['node', '--version'])}",
        "limits": f"limits {python['limits']}, redis-py {python['redis']}, Python "
                  f"{sys.version.split()[0]}",
    }


# Who there is, how it is prepared, and between which numbers the first integer of a reply lies
# where the request is admitted: under the open limit, and under the tight one.
PEERS = {
    "redis_rate": (prepare_go, (1, 1), (1, 1)),
    "rate-limiter-flexible": (prepare_node, (1, 1000), (1, 1)),
    "limits": (prepare_python, (1, 1000), (1, 1)),
}


def start(server, processor):
    """Programs by name; and who doesn't take part, and why."""
    programs, missing = {}, {}
    for name, (prepare, _, _) in PEERS.items():
        command, environment, why = prepare()
        if why is not None:
            missing[name] = why
        else:
            programs[name] = Program([*command, str(server.port)], processor, environment)
    return programs, missing


def heard(server, program, limit, key):
    """What the library sends for one decision, once it has had its script loaded."""
    program.ask(f"once {limit} warm-up")
    commands = server.heard(lambda: program.ask(f"once {limit} {key}"))
    if not any(PLACEHOLDER.encode() in argument for command in commands for argument in command):
        sys.exit(f"bench: MONITOR showed no decision of {program.path}: {commands}")
    return commands
