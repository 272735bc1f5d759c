#!/usr/bin/env python3
"""systemd_units - the units are ones that systemd understands, and leave the service little to do harm with."""

import os
import re
import shutil
import subprocess

from cli_support import ROOT, expect, main

UNITS = os.path.join(ROOT, "share/systemd")

# What systemd-analyze may find at most, of 100: 96 is a service without any protection.
EXPOSURE_MAX = 15


def install(weir):
    """The units in a folder, as meson would install them, with the program that is tested."""
    with open(os.path.join(UNITS, "weir.service.in"), encoding="utf-8") as file:
        text = file.read().replace("@BINDIR@/weir", weir.path).replace("@SYSCONFDIR@", "/etc")
    with open(weir.file("weir.service"), "w", encoding="utf-8") as file:
        file.write(text)
    for name in ("weir.socket", "weir-resp.socket"):
        shutil.copy(os.path.join(UNITS, name), weir.folder)
    expect(re.findall("@[A-Z]+@", text), [])
    return text


def analyze(*words):
    """Its exit code, and all that it says."""
    done = subprocess.run(["systemd-analyze", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=100, check=False)
    return done.returncode, done.stdout


def test_systemd_finds_nothing_wrong(weir):
    install(weir)
    for name in ("weir.service", "weir.socket", "weir-resp.socket"):
        code, said = analyze("verify", "--man=no", "--recursive-errors=no", weir.file(name))
        expect((code, [line for line in said.splitlines() if "weir" in line]), (0, []), said)


def test_a_mistake_would_be_found(weir):
    text = install(weir)
    with open(weir.file("weir.service"), "w", encoding="utf-8") as file:
        file.write(text.replace("ProtectSystem=", "ProtectSytem="))
    _, said = analyze("verify", "--man=no", "--recursive-errors=no", weir.file("weir.service"))
    expect("ProtectSytem" in said, True, said)


def test_the_service_has_little_to_do_harm_with(weir):
    install(weir)
    code, said = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", weir.file("weir.service"))
    level = re.search(r"Overall exposure level for weir.service: ([0-9.]+)", said)
    expect((code, bool(level) and float(level[1]) * 10 <= EXPOSURE_MAX), (0, True), said)


def test_the_sockets_have_names(weir):
    install(weir)
    for file, name in (("weir.socket", "http"), ("weir-resp.socket", "resp")):
        with open(weir.file(file), encoding="utf-8") as opened:
            expect(f"FileDescriptorName={name}\n" in opened.read(), True, file)


if __name__ == "__main__":
    main(globals())
