"""rls - Envoy's rate limit service over gRPC, for the tests in Python: requests as bytes, answers as values.

A request is {"domain": ..., "hits": n, "descriptors": [...]}, a descriptor {"entries": [(key, value)...], "hits": n,
"limit": (requests, unit)}; what is left out is not sent. The few messages there are, are written and read by hand, so
that no compiler of protobuf is needed. grpc comes from tools/envoy.
"""

import struct


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(field, number):
    return _varint(field << 3) + _varint(number)


def _bytes(field, data):
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field, text):
    return _bytes(field, text.encode())


def request(asked):
    """The bytes of a RateLimitRequest."""
    out = _text(1, asked["domain"])
    for descriptor in asked["descriptors"]:
        part = b"".join(_bytes(1, _text(1, key) + _text(2, value)) for key, value in descriptor["entries"])
        if "limit" in descriptor:
            part += _bytes(2, b"".join(_number(i, n) for i, n in enumerate(descriptor["limit"], 1)))
        if "hits" in descriptor:
            part += _bytes(3, _number(1, descriptor["hits"]) if descriptor["hits"] else b"")
        out += _bytes(2, part)
    return out + (_number(3, asked["hits"]) if "hits" in asked else b"")


def _fields(data):
    """A message's fields: {number: [value...]}, of which the bytes are still to be read."""
    found, at = {}, 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        else:
            size = {1: 8, 2: None, 5: 4}[kind] or varint()
            value, at = data[at:at + size], at + size
            assert len(value) == size
        found.setdefault(tag >> 3, []).append(value)
    return found


def _one(fields, number, otherwise):
    return fields.get(number, [otherwise])[-1]


def _value(data):
    for number, (value,) in _fields(data).items():
        if number == 2:
            return struct.unpack("<d", value)[0]
        if number == 3:
            return value.decode()
        if number == 4:
            return bool(value)
        if number == 5:
            return _struct(value)
        if number == 6:
            return [_value(item) for item in _fields(value).get(1, [])]
    return None


def _struct(data):
    entries = [_fields(entry) for entry in _fields(data).get(1, [])]
    return {_one(entry, 1, b"").decode(): _value(_one(entry, 2, b"")) for entry in entries}


def _status(data):
    fields = _fields(data)
    limit, reset = _one(fields, 2, None), _one(fields, 4, None)
    told = {"code": _one(fields, 1, 0), "limit": None, "remaining": _one(fields, 3, 0), "reset": None}
    if limit is not None:
        parts = _fields(limit)
        told["limit"] = (_one(parts, 1, 0), _one(parts, 2, 0), _one(parts, 3, b"").decode())
    if reset is not None:
        told["reset"] = _one(_fields(reset), 1, 0) + _one(_fields(reset), 2, 0) / 1e9
    return told


def response(data):
    """What the bytes of a RateLimitResponse say."""
    fields = _fields(data)
    headers = [_fields(header) for header in fields.get(3, [])]
    return {"overall": _one(fields, 1, 0), "statuses": [_status(status) for status in fields.get(2, [])],
            "headers": [(_one(header, 1, b"").decode(), _one(header, 2, b"").decode()) for header in headers],
            "metadata": _struct(fields[6][-1]) if 6 in fields else None}


class Asking:
    """A connection; a refusal is told by the number and the text of its status."""

    def __init__(self, grpc, address):
        self.errors = grpc.RpcError
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
        self.call = self.channel.unary_unary("/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit")

    def ask(self, asked):
        try:
            return response(self.call(request(asked), timeout=30))
        except self.errors as error:
            return {"error": error.code().name}

    def close(self):
        self.channel.close()
