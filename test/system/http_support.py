"""http_support - a real server, an application that answers whoever gets through, and requests from an address."""

import contextlib
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402


class Answer:
    """What came back: status, headers (a mapping that knows no case), body as text."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read().decode()

    def json(self):
        return json.loads(self.body)


def ask(port, method, path, headers=None, body=None, source="127.0.0.1"):
    """One request on a connection of its own, from an address of this machine's 127.0.0.0/8."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=rig.PATIENCE, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())


def end_with_the_test():
    rig.libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Running:
    """A program that is started, waited for and ended; `ready` is asked until it is true."""

    def __init__(self, folder, name, command, **options):
        self.log = open(os.path.join(folder, name + ".log"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                            preexec_fn=end_with_the_test, **options)

    def ready(self):
        raise NotImplementedError

    def is_ready(self):
        if self.process.poll() is not None:
            with open(self.log.name, encoding="utf-8", errors="replace") as log:
                raise ChildProcessError(log.read())
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ready()
        return False

    def __enter__(self):
        try:
            rig.wait(self.is_ready, f"{self.log.name} is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=rig.PATIENCE)
        self.log.close()


class Server(Running):
    """weir serve on a policy whose only HTTP listener is at `{http}`."""

    def __init__(self, weir, policy, port=None, env=None):
        self.port = port or rig.Port()
        path = weir.file("weir.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(policy.replace("{http}", str(self.port.number)))
        super().__init__(weir.folder, "weir", [weir.path, "serve", "--config", path], env=weir.environment(env))

    def ready(self):
        return self.ask("GET", "/readyz").status == 200

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        self.port.release()

    def ask(self, method, path, headers=None, body=None, **options):
        return ask(self.port.number, method, path, headers, body, **options)

    def post(self, path, value, **options):
        return self.ask("POST", path, {"Content-Type": "application/json"}, json.dumps(value), **options)


class Application:
    """What is behind a proxy: answers 200 with the request line, and counts."""

    def __init__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.append(self.requestline)
                body = b"application\n"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
