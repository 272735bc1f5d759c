#!/usr/bin/env python3
"""make_run - what `make run` runs: the demonstration, a server, a request through each door, and an end by Ctrl-C."""

import os
import signal
import subprocess
import sys
import threading

from cli_support import ROOT, expect, main

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402


def test_it_shows_all_and_stays_until_ctrl_c(weir):
    http, resp = rig.Port(), rig.Port()
    environment = dict(os.environ, WEIR=weir.path, HTTP_PORT=str(http.number), RESP_PORT=str(resp.number))
    with subprocess.Popen([os.path.join(ROOT, "tools/run")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment, start_new_session=True) as process:
        said = []
        reader = threading.Thread(target=lambda: said.extend(process.stdout), daemon=True)
        reader.start()
        try:
            rig.wait(lambda: any("until Ctrl-C" in line for line in said) or process.poll() is not None,
                     "the server is left running")
            expect(process.poll(), None, "".join(said))
        finally:
            # As a terminal does it: to all of the group.
            os.killpg(process.pid, signal.SIGINT)
            code = process.wait(timeout=60)
            reader.join(timeout=60)
    text = "".join(said)
    expect(code, 0, text)
    for part in ("user123 asks once a second", "    < HTTP/1.1 200 OK\n", '"rule":"login"', "    < RateLimit: ",
                 "    < *5\n    < :0\n    < :10\n    < :9\n    < :-1\n    < :6\n    < +OK\n", " info ended\n"):
        expect(part in text, True, f"{part!r} is not in\n{text}")


if __name__ == "__main__":
    main(globals())
