"""rig - real Redis or Valkey servers for the tests in Python, as rig.h has them for those in C.

    with rig.Redis("maxmemory 2mb") as redis:
        redis.command("SET", "a", "b")

Each server listens on a free port of 127.0.0.1, in a folder that goes away with it, is killed by the kernel when the
test ends, and is stopped by its process id. What can't be had raises. Which server: the one that is named, else the
program in WEIR_TEST_SERVER, else redis-server.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 30  # seconds; far longer than anything here takes
SLOTS = 16384

# As in rig_process.c: below the kernel's own ports, and a cluster's bus ports are 10000 higher.
PORTS = range(10000, 20000)
BUS = 10000

libc = ctypes.CDLL(None, use_errno=True)


def wait(condition, what):
    """Waits until condition() is true, and gives what it gave."""
    last = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > last:
            raise TimeoutError(f"waited {PATIENCE} s in vain: {what}")
        time.sleep(0.005)


# ---- Asking ----------------------------------------------------------------------------------------------------


class ReplyError(Exception):
    """An error that a server replied."""


class Connection:
    """Commands over one connection, by RESP2. Strings come as str, nil as None, arrays as lists."""

    def __init__(self, port, password=None, user=None, timeout=PATIENCE):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")
        if password is not None:
            self.command("AUTH", *([user] if user else []), password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        data = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
        self.socket.sendall(b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in data))

    def receive(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server has ended the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode("utf-8", "surrogateescape")
        if kind == b"-":
            raise ReplyError(rest.decode("utf-8", "surrogateescape"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self.file.read(int(rest) + 2)[:-2].decode("utf-8", "surrogateescape")
        if kind == b"*":
            return None if int(rest) < 0 else [self.receive() for _ in range(int(rest))]
        raise ConnectionError(f"no RESP2: {line!r}")

    def command(self, *words):
        self.send(*words)
        return self.receive()


# ---- Ports and certificates ---------------------------------------------------------------------------------------


def _listens(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


class Port:
    """A port that no other rig takes, of C or Python, until it is released."""

    def __init__(self):
        for _ in range(1000):
            self.number = PORTS[int.from_bytes(os.urandom(4), "little") % len(PORTS)]
            self.reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                self.reservation.bind(f"\0weir-rig-port-{self.number}")
            except OSError:
                self.reservation.close()
                continue
            if not _listens(self.number) and not _listens(self.number + BUS):
                return
            self.reservation.close()
        raise OSError("no free port")

    def release(self):
        self.reservation.close()


class Certificates:
    """Paths of PEM files, made in a folder: an authority, and what it signed for servers here and for a client."""

    def __init__(self, folder):
        self.folder = folder
        self.authority, authority_key = self._make("authority", "/CN=weir test authority")
        signed = ("-CA", self.authority, "-CAkey", authority_key)
        self.server, self.server_key = self._make(
            "server", "/CN=weir test server", *signed, "-addext", "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost")
        self.client, self.client_key = self._make("client", "/CN=weir test client", *signed)

    def _make(self, name, subject, *more):
        certificate, key = (os.path.join(self.folder, name + end) for end in (".pem", ".key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
                        "-days", "1", "-subj", subject, "-keyout", key, "-out", certificate, *more],
                       check=True, capture_output=True)
        return certificate, key


# ---- One server ---------------------------------------------------------------------------------------------------


class Redis:
    """A server. `lines` are further lines of its configuration. With tls it serves TLS too, on tls_port."""

    def __init__(self, *lines, server=None, password=None, tls=False, tls_clients=False, certificates=None,
                 sentinel=False, environment=None):
        self.program = server or os.environ.get("WEIR_TEST_SERVER") or "redis-server"
        self.lines, self.password, self.tls, self.tls_clients = lines, password, tls, tls_clients
        self.sentinel, self.environment = sentinel, environment or {}
        self.process = None
        self.folder = tempfile.mkdtemp(prefix=f"weir-rig-{os.getpid()}-")
        self.socket = os.path.join(self.folder, "socket")
        self._port, self._tls_port = Port(), Port()
        self.port, self.tls_port = self._port.number, self._tls_port.number
        try:
            self.certificates = certificates or (Certificates(self.folder) if tls else None)
            self._configure()
            self.restart()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _configure(self):
        lines = ["bind 127.0.0.1 -::1", f"port {self.port}", f"unixsocket {self.socket}", f"dir {self.folder}",
                 'save ""', "appendonly no"]
        if self.password:
            lines += [f"requirepass {self.password}", f"masterauth {self.password}"]
        if self.tls:
            lines += [f"tls-port {self.tls_port}", f"tls-cert-file {self.certificates.server}",
                      f"tls-key-file {self.certificates.server_key}", f"tls-ca-cert-file {self.certificates.authority}",
                      f"tls-auth-clients {'yes' if self.tls_clients else 'no'}"]
        with open(os.path.join(self.folder, "redis.conf"), "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, *self.lines]) + "\n")

    @property
    def url(self):
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"rediss://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.tls_port}"

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def _spawn(self):
        parent = os.getpid()

        def end_with_the_test():
            libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:
                os._exit(127)

        # Debian's redis-tools has the server under the name of one of its tools, see rig_redis.c.
        executable = self.program
        if self.program == "redis-server" and not shutil.which("redis-server"):
            executable = shutil.which("redis-check-rdb")
        words = [self.program, os.path.join(self.folder, "redis.conf"), *(["--sentinel"] if self.sentinel else [])]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(words, executable=executable, cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env={**os.environ, **self.environment},
                                            preexec_fn=end_with_the_test)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def _answers(self):
        if self.process.poll() is not None:
            raise ChildProcessError(f"a server does not start:\n{self.log()}")
        try:
            return self.command("PING") == "PONG"
        except ReplyError as error:
            return str(error).startswith(("NOAUTH", "NOPERM"))
        except OSError:
            return False

    def restart(self):
        """Starts it (killing it first, where it still runs) on its ports, and waits until it answers."""
        if self.process:
            self.kill()
        self._spawn()
        wait(self._answers, "a server answers")

    def kill(self, number=signal.SIGKILL):
        """Ends it by a signal, and waits until it has ended."""
        self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE)
        self.process = None

    def pause(self):
        """From here on it accepts and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, self.process.pid, os.WCONTINUED)

    def stop(self):
        """Stops it and removes its folder."""
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None
        self._port.release()
        self._tls_port.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, **options):
        return Connection(self.port, password=self.password, **options)

    def command(self, *words):
        """A command over a connection of its own; raises ReplyError for an error."""
        with self.connect(timeout=5) as connection:
            return connection.command(*words)

    def info(self, section="everything"):
        lines = [line.split(":", 1) for line in self.command("INFO", section).splitlines() if ":" in line]
        return {name: value for name, value in lines}


# ---- weir serve ---------------------------------------------------------------------------------------------------


class Weir:
    """`weir serve` by the lines of a policy file, in which `{http}` and `{resp}` stand for ports of its own. Without
    `listen:` among them it has a listener of each. `arguments` are subprocess.Popen's."""

    def __init__(self, program, *lines, arguments=None):
        self.program, self.arguments = program, arguments or {}
        self.folder = tempfile.mkdtemp(prefix=f"weir-rig-{os.getpid()}-")
        self._http, self._resp = Port(), Port()
        self.http, self.resp = self._http.number, self._resp.number
        self.policy = os.path.join(self.folder, "weir.yaml")
        self.process = None
        try:
            self._configure(lines)
            self._spawn()
            wait(self._answers, "weir serve answers")
        except BaseException:
            self._end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            print("# the server said:\n# " + self.log().replace("\n", "\n# "), flush=True)
            self._end()

    def _configure(self, lines):
        text = "\n".join(lines) + "\n"
        if "listen:" not in text:
            text = "listen:\n  - http: 127.0.0.1:{http}\n  - resp: 127.0.0.1:{resp}\n" + text
        with open(self.policy, "w", encoding="utf-8") as file:
            file.write(text.replace("{http}", str(self.http)).replace("{resp}", str(self.resp)))

    def _spawn(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([self.program, "serve", "--config", self.policy], cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.arguments)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def _answers(self):
        if self.process.poll() is not None:
            raise ChildProcessError(f"weir serve does not start:\n{self.log()}")
        return "listening" in self.log()

    @property
    def pid(self):
        return self.process.pid

    def connect(self, **options):
        """A connection to the RESP door."""
        return Connection(self.resp, **options)

    def resident(self):
        """Bytes of memory that it has."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stop(self):
        """Ends it by SIGTERM, and raises where it does not end well: a sanitizer's findings are told so too."""
        self.process.terminate()
        try:
            code = self.process.wait(timeout=PATIENCE)
            if code != 0:
                raise ChildProcessError(f"weir serve ended with {code}:\n{self.log()}")
        finally:
            self._end()

    def _end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=PATIENCE)
        self._http.release()
        self._resp.release()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- Many servers -------------------------------------------------------------------------------------------------


class Fleet:
    """What clusters and sentinels share: servers that are stopped together, with certificates of one authority."""

    def __init__(self, tls):
        self.servers = []
        self.tls = tls
        self.folder = tempfile.mkdtemp(prefix=f"weir-rig-{os.getpid()}-")
        self.certificates = Certificates(self.folder) if tls else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *lines, **options):
        server = Redis(*lines, tls=self.tls, certificates=self.certificates, **options)
        self.servers.append(server)
        return server

    def port_among(self, server):
        return server.tls_port if self.tls else server.port


def _url(scheme, password, servers, port, path=""):
    hosts = ",".join(f"127.0.0.1:{getattr(server, port)}" for server in servers)
    return f"{scheme}://{f':{password}@' if password else ''}{hosts}{path}"


class Cluster(Fleet):
    """A cluster: `nodes` are the primaries at the start, slots shared out evenly, then the replicas of each."""

    def __init__(self, primaries=3, replicas_each=0, *lines, node_timeout_ms=1500, password=None, tls=False):
        super().__init__(tls)
        self.password = password
        try:
            self.nodes = [self.start(
                "cluster-enabled yes", "repl-diskless-sync yes", "repl-diskless-sync-delay 0",
                "cluster-replica-validity-factor 0", "cluster-migration-barrier 99",
                f"cluster-node-timeout {node_timeout_ms}", *(["tls-cluster yes", "tls-replication yes"] if tls else []),
                *lines, password=password) for _ in range(primaries * (1 + replicas_each))]
            self._join(primaries, replicas_each)
        except BaseException:
            self.stop()
            raise

    def _join(self, primaries, replicas_each):
        for number, node in enumerate(self.nodes):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < primaries:
                node.command("CLUSTER", "ADDSLOTS",
                             *range(SLOTS * number // primaries, SLOTS * (number + 1) // primaries))
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    other.command("CLUSTER", "MEET", "127.0.0.1", self.port_among(node))
        wait(lambda: all(len(self.members(node)) == len(self.nodes) for node in self.nodes),
             "all nodes know all others")
        for number, node in enumerate(self.nodes[primaries:]):
            node.command("CLUSTER", "REPLICATE", self.nodes[number // replicas_each].command("CLUSTER", "MYID"))
        self.wait(replicas=primaries * replicas_each)

    @property
    def url(self):
        return _url("redis+cluster", self.password, self.nodes, "port")

    @property
    def tls_url(self):
        return _url("rediss+cluster", self.password, self.nodes, "tls_port")

    def running(self):
        return [node for node in self.nodes if node.process]

    def members(self, node):
        """What a node says of those that it counts on: by node, (flags, slots)."""
        found = {}
        for line in node.command("CLUSTER", "NODES").splitlines():
            _, address, flags, _, _, _, _, _, *slots = line.split(" ")
            port = int(address.split(",")[0].split("@")[0].rsplit(":", 1)[1])
            if port and not any(word in flags for word in ("fail", "handshake", "noaddr")):
                ranges = [text.split("-") for text in slots if not text.startswith("[")]
                member = next(node for node in self.nodes if port in (node.port, node.tls_port))
                found[member] = flags, [range(int(ends[0]), int(ends[-1]) + 1) for ends in ranges]
        return found

    def _well(self, node, replicas):
        members = self.members(node)
        role = node.info("replication")
        return ("cluster_state:ok" in node.command("CLUSTER", "INFO") and set(members) == set(self.running())
                and sum("slave" in flags for flags, _ in members.values()) >= replicas
                and (role["role"] == "master" or role["master_link_status"] == "up"))

    def wait(self, replicas=0):
        """Waits until all that run count on each other, are well, and are in step."""
        wait(lambda: all(self._well(node, replicas) for node in self.running()), "the cluster is well")

    def slot(self, key):
        return self.running()[0].command("CLUSTER", "KEYSLOT", key)

    def owner(self, slot, said_by=None):
        """The node that has a slot, or None."""
        for node, (flags, slots) in self.members(said_by or self.running()[0]).items():
            if "master" in flags and any(slot in each for each in slots):
                return node
        return None

    def wait_owner(self, slot, former):
        """Waits until all agree that another than `former` has the slot, and are well; gives it."""
        def successor():
            said = {self.owner(slot, node) for node in self.running()}
            return said.pop() if len(said) == 1 and not said & {former, None} else None
        owner = wait(successor, "a slot has a new owner")
        self.wait()
        return owner

    def move(self, slot, to):
        """Moves a slot and its keys to a node."""
        source = self.owner(slot)
        ids = {node: node.command("CLUSTER", "MYID") for node in (source, to)}
        to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to])
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            auth = ["AUTH", self.password] if self.password else []
            source.command("MIGRATE", "127.0.0.1", self.port_among(to), "", 0, 5000, *auth, "KEYS", *keys)
        for node in [to, source, *(node for node in self.running() if node not in (to, source))]:
            if node.info("replication")["role"] == "master":
                node.command("CLUSTER", "SETSLOT", slot, "NODE", ids[to])
        self.wait_owner(slot, source)


class Sentinel(Fleet):
    """A primary, nodes[0], its replicas, and the sentinels that watch them under the name `service`."""

    service = "budget"

    def __init__(self, replicas=1, sentinels=3, *lines, down_after_ms=800, password=None, sentinel_password=None,
                 tls=False):
        super().__init__(tls)
        self.password, self.sentinel_password = password, sentinel_password
        self.nodes, self.sentinels = [], []
        try:
            self._start_nodes(replicas, lines)
            for _ in range(sentinels):
                self.sentinels.append(self._start_sentinel(sentinels // 2 + 1, down_after_ms))
            wait(lambda: all(self._knows_all(sentinel) for sentinel in self.sentinels), "sentinels know each other")
        except BaseException:
            self.stop()
            raise

    def _start_nodes(self, replicas, lines):
        both = ["repl-diskless-sync yes", "repl-diskless-sync-delay 0", *(["tls-replication yes"] if self.tls else [])]
        self.nodes.append(self.start(*both, *lines, password=self.password))
        primary = f"replicaof 127.0.0.1 {self.port_among(self.nodes[0])}"
        for _ in range(replicas):
            self.nodes.append(self.start(*both, primary, *lines, password=self.password))
        wait(lambda: all(node.info("replication")["master_link_status"] == "up" for node in self.nodes[1:]),
             "the replicas are in step")

    def _start_sentinel(self, quorum, down_after_ms):
        lines = [f"sentinel monitor {self.service} 127.0.0.1 {self.port_among(self.nodes[0])} {quorum}",
                 f"sentinel down-after-milliseconds {self.service} {down_after_ms}",
                 f"sentinel failover-timeout {self.service} 3000",
                 *(["tls-replication yes"] if self.tls else [])]
        if self.password:
            lines.append(f"sentinel auth-pass {self.service} {self.password}")
        if self.sentinel_password:
            lines.append(f"sentinel sentinel-pass {self.sentinel_password}")
        return self.start(*lines, password=self.sentinel_password, sentinel=True)

    def _knows_all(self, sentinel):
        told = sentinel.command("SENTINEL", "MASTER", self.service)
        told = dict(zip(told[::2], told[1::2]))
        return (told["flags"] == "master" and int(told["num-slaves"]) == len(self.nodes) - 1
                and int(told["num-other-sentinels"]) == len(self.sentinels) - 1)

    @property
    def url(self):
        return _url("redis+sentinel", self.password, self.sentinels, "port", "/" + self.service)

    @property
    def tls_url(self):
        return _url("rediss+sentinel", self.password, self.sentinels, "tls_port", "/" + self.service)

    def primary(self, sentinel=None):
        """The node that a sentinel calls the primary."""
        sentinel = sentinel or next(each for each in self.sentinels if each.process)
        _, port = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return next(node for node in self.nodes if self.port_among(node) == int(port))

    def wait_primary(self, former):
        """Waits until all sentinels call another than `former` the primary, and it is; gives it."""
        def successor():
            said = {self.primary(sentinel) for sentinel in self.sentinels if sentinel.process}
            primary = said.pop()
            return primary if not said and primary is not former and primary.command("ROLE")[0] == "master" else None
        return wait(successor, "the sentinels have made another node the primary")
