"""What the parts of bench/run share: programs, and what machine this is."""

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "bench")


def say(text):
    print(text, flush=True)


def must(command, **options):
    """Runs a command; where it fails, shows what it said and ends."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        sys.exit(f"bench: {' '.join(command)} failed")
    return done.stdout


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "none"
    return (done.stdout or done.stderr).split("\n")[0].strip()


def build_ours(target):
    """Builds one of the programs in C; `target` is its path below the build folder."""
    folder = os.path.join(BUILD, "c")
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        shutil.rmtree(folder, ignore_errors=True)
        must(["meson", "setup", folder, ROOT, "-Dbench=true", "-Dtests=false"])
    must(["ninja", "-C", folder, "--quiet", target])
    return os.path.join(folder, target)


def pinned_to(processor):
    """What a new process is to do so that it runs on one processor; nothing for None."""
    return None if processor is None else lambda: os.sched_setaffinity(0, {processor})


class Program:
    """One of the programs that answer commands with lines of JSON."""

    def __init__(self, command, processor=None, environment=None):
        self.path = command[0]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=pinned_to(processor),
                                        env=environment)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.path} ended at: {command}")
        return json.loads(line)

    def processor_us(self):
        """What it has taken of a processor till now, to some 10 ms."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000000 // os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def is_virtual():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return " hypervisor" in file.read()


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) * 1024
    with open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
              encoding="ascii") as file:
        clock = file.read().strip()
    return {
        "date": datetime.date.today().isoformat(),
        "processor": models[0] if models else platform.processor(),
        "processors": os.cpu_count(),
        "memory": memory,
        "clock": clock,
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": os.getloadavg()[0],
        "cc": first_line(["cc", "--version"]),
        "virtual": is_virtual(),
        "commit": first_line(["git", "-C", ROOT, "describe", "--always", "--dirty"]),
    }
