"""client - asks a server what test/system/resp_clients.py expects, by redis-py: PORT TOKEN PROTOCOL. Prints what was
answered as JSON. PYTHONPATH says where the library is."""

import json
import sys

import redis


def plain(answer):
    """JSON has no bytes, and the client leaves a map's values as they came."""
    if isinstance(answer, bytes):
        return answer.decode()
    if isinstance(answer, list):
        return [plain(part) for part in answer]
    if isinstance(answer, dict):
        return {plain(name): plain(value) for name, value in answer.items()}
    return answer


def main():
    port, token, protocol = sys.argv[1:]
    client = redis.Redis(port=int(port), password=token, protocol=int(protocol), client_name="python")
    key = "python" + protocol
    said = {"ping": "PONG" if client.ping() else None}
    said["throttle"] = [client.execute_command("CL.THROTTLE", key, 2, 1, 86400) for _ in range(4)]
    said["check"] = plain(client.execute_command("WEIR.CHECK", "ATTRS", 1, "ip", key))
    with client.pipeline(transaction=False) as pipe:
        for _ in range(100):
            pipe.execute_command("THROTTLE", key + "p", 50, 1, 86400)
        said["allowed"] = sum(answer[0] for answer in pipe.execute())
    try:
        client.execute_command("CL.THROTTLE", key, "x", 1, 1)
    except redis.ResponseError as error:
        said["error"] = str(error)
    print(json.dumps(said))
    client.close()


main()
