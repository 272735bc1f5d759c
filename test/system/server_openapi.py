#!/usr/bin/env python3
"""server_openapi - schemathesis holds a real server to the document that it serves: what it sends by it, and against
it, is answered as the document says, and nothing makes the server fail.

schemathesis is installed from the package index below build/, at the version named here, and kept there. It is not asked
whether all that fits the schema is accepted, as a limit's text, or a rule's name, has no schema that says which there are;
nor whether other methods are refused, as /v1/forward-auth takes any (http_session_test.c looks at those of the others).
"""

import fcntl
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cli_support import ROOT, expect, main  # noqa: E402
from http_support import Server  # noqa: E402

VERSION = "4.32.5"
FOLDER = os.path.join(ROOT, "build", "python", "schemathesis-" + VERSION)

POLICY = """\
listen:
  - http: 127.0.0.1:{http}
    trusted_proxies: [127.0.0.1]
    x_ratelimit: true
rules:
  - {name: login, match: {path: /login}, key: ip, limit: 5/m}
  - {name: watched, key: ip, limit: 1/h, shadow: true}
  - {name: barred, match: {ip: {present: true}}, key: ip, limit: 9/s, deny: [10.0.0.66]}
"""


def installed():
    """The folder that it is in; the first to come installs it."""
    done = os.path.join(FOLDER, "done")
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(done):
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", FOLDER,
                            "schemathesis==" + VERSION], check=True, stdout=sys.stderr)
            with open(done, "w", encoding="utf-8"):
                pass
    return FOLDER


def test_the_server_does_what_its_document_says(weir):
    folder = installed()
    with Server(weir, POLICY) as server:
        done = subprocess.run(
            [sys.executable, os.path.join(folder, "bin", "schemathesis"), "run", f"http://127.0.0.1:{server.port.number}/openapi.json", "--checks", "all",
             "--exclude-checks", "positive_data_acceptance,unsupported_method", "--phases", "examples,coverage,fuzzing", "--max-examples",
             "15", "--seed", "1", "--generation-database", "none", "--no-color"],
            capture_output=True, text=True, check=False, timeout=280, cwd=weir.folder,
            env={**os.environ, "HOME": weir.folder, "PYTHONPATH": folder})
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Operations:       " in done.stdout and " 0 selected" not in done.stdout, done.stdout
        expect(server.ask("GET", "/readyz").status, 200)


main(globals())
