"""rls_messages - messages of Envoy's rate limit service as bytes, by hand, so that no compiler of .proto is needed."""

UNITS = {"SECOND": 1, "MINUTE": 2, "HOUR": 3, "DAY": 4, "MONTH": 5, "YEAR": 6, "WEEK": 7}
CODES = {0: "UNKNOWN", 1: "OK", 2: "OVER_LIMIT"}
METHOD = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def nested(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def descriptor(*entries, hits=None, limit=None, negative=False):
    """`entries` are (key, value); `limit` is (requests, unit)."""
    out = b"".join(nested(1, nested(1, key.encode()) + nested(2, value.encode())) for key, value in entries)
    if limit is not None:
        out += nested(2, number(1, limit[0]) + number(2, UNITS[limit[1]]))
    if hits is not None:
        out += nested(3, number(1, hits) if hits else b"")
    return out + (number(4, 1) if negative else b"")


def request(domain, *descriptors, hits=0):
    return nested(1, domain.encode()) + b"".join(nested(2, each) for each in descriptors) + number(3, hits)


def fields(message):
    """[(number, value)]: whole numbers, or bytes."""
    at = 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    found = []
    while at < len(message):
        tag = read()
        if tag & 7 == 0:
            found.append((tag >> 3, read()))
        elif tag & 7 == 1:
            found.append((tag >> 3, message[at:at + 8]))
            at += 8
        else:
            length = read()
            found.append((tag >> 3, message[at:at + length]))
            at += length
    return found


def status(message):
    """One descriptor's: {code, remaining, limit: (requests, unit, name), reset: seconds}."""
    out = {"code": "UNKNOWN", "remaining": 0}
    for field, value in fields(message):
        if field == 1:
            out["code"] = CODES[value]
        elif field == 2:
            limit = dict(fields(value))
            unit = {number: name for name, number in UNITS.items()}.get(limit.get(2, 0), "UNKNOWN")
            out["limit"] = (limit.get(1, 0), unit, limit.get(3, b"").decode())
        elif field == 3:
            out["remaining"] = value
        elif field == 4:
            out["reset"] = dict(fields(value)).get(1, 0)
    return out


def response(message):
    """{code, statuses, headers}"""
    out = {"code": "UNKNOWN", "statuses": [], "headers": {}}
    for field, value in fields(message):
        if field == 1:
            out["code"] = CODES[value]
        elif field == 2:
            out["statuses"].append(status(value))
        elif field == 3:
            header = dict(fields(value))
            out["headers"][header[1].decode()] = header.get(2, b"").decode()
    return out
