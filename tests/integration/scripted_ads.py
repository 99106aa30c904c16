# SPDX-License-Identifier: Apache-2.0
"""A control plane that sends exactly the bytes a test wants, for what the real istiod would never send.

Messages are built and taken apart field by field, without generated code, so that they can be as wrong as needed.
"""

import queue
import struct
import threading
from concurrent import futures

import grpc

TYPES = {
    "cds": "envoy.config.cluster.v3.Cluster",
    "eds": "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "lds": "envoy.config.listener.v3.Listener",
    "rds": "envoy.config.route.v3.RouteConfiguration",
    "nds": "istio.networking.nds.v1.NameTable",
}
URL = {name: f"type.googleapis.com/{suffix}" for name, suffix in TYPES.items()}
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field: bytes and str are length-delimited, int is a varint, a list repeats."""
    if isinstance(value, list):
        return b"".join(field(number, item) for item in value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data):
    """number -> list of values of a message."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 2:
            length = number()
            value = data[at : at + length]
            at += length
        elif key & 7 == 0:
            value = number()
        else:
            size = 8 if key & 7 == 1 else 4
            value = data[at : at + size]
            at += size
        found.setdefault(key >> 3, []).append(value)
    return found


def cluster(name, kind=3, **more):
    """kind 3 = EDS"""
    return field(1, name) + field(2, kind) + more.get("raw", b"")


def socket_address(address, port):
    return field(1, field(1, field(2, address) + field(3, port)))


def assignment(name, *addresses):
    endpoints = b"".join(field(2, field(1, socket_address(a, p)) + field(2, 1)) for a, p in addresses)
    return field(1, name) + field(2, endpoints)


def virtual_host(name, domains, target, raw=b""):
    return (
        field(1, name)
        + field(2, list(domains))
        + field(3, field(1, field(1, "/")) + field(2, field(1, target)))
        + raw
    )


HEALTH = {"unknown": 0, "healthy": 1, "unhealthy": 2, "draining": 3, "timeout": 4, "degraded": 5}


def endpoint(address, health="healthy", weight=None, port=8080):
    return (
        field(1, socket_address(address, port))
        + field(2, HEALTH[health])
        + (field(4, field(1, weight)) if weight is not None else b"")
    )


def locality(zone, *endpoints, priority=0, weight=None):
    """LocalityLbEndpoints"""
    return (
        field(1, field(1, "r1") + field(2, zone))
        + field(2, list(endpoints))
        + (field(3, field(1, weight)) if weight is not None else b"")
        + field(5, priority)
    )


def common_lb(panic=None, locality_weighted=False):
    """common_lb_config of a Cluster; panic: the threshold in per cent"""
    percent = varint(1 << 3 | 1) + struct.pack("<d", panic) if panic is not None else None
    return field(27, (field(1, percent) if percent else b"") + (field(3, b"") if locality_weighted else b""))


def path_match(kind, value, raw=b""):
    """RouteMatch. kind: prefix, path, regex, separated"""
    number = {"prefix": 1, "path": 2, "regex": 10, "separated": 14}[kind]
    return field(number, field(2, value) if kind == "regex" else value) + raw


def string_match(kind, value, ignore_case=False):
    number = {"exact": 1, "prefix": 2, "suffix": 3, "regex": 5, "contains": 7}[kind]
    return field(number, field(2, value) if kind == "regex" else value) + (field(6, 1) if ignore_case else b"")


def header(name, text=None, present=None, span=None, invert=False, missing_as_empty=False, number=6):
    """A condition of a RouteMatch on a header: `text` a string_match, `present` a bool, `span` (start, end)."""
    out = field(1, name)
    if text is not None:
        out += field(13, text)
    if present is not None:
        out += varint(7 << 3) + varint(int(present))
    if span is not None:
        out += field(6, b"".join(varint(n << 3) + varint(value & (1 << 64) - 1) for n, value in zip((1, 2), span)))
    out += (field(8, 1) if invert else b"") + (field(14, 1) if missing_as_empty else b"")
    return field(number, out)


def query(name, text=None):
    return field(7, field(1, name) + (field(5, text) if text is not None else field(6, 1)))


def route(match, target, name=""):
    return field(3, field(1, match) + field(2, field(1, target)) + field(14, name))


def virtual_host_of(name, domains, *routes):
    return field(1, name) + field(2, list(domains)) + b"".join(routes)


def route_configuration(name, *hosts):
    return field(1, name) + field(2, list(hosts))


def name_table(**table):
    entries = [field(1, host) + field(2, field(1, list(ips)) + field(2, "Kubernetes")) for host, ips in table.items()]
    return field(1, entries)


class Request:
    def __init__(self, data):
        parsed = fields(data)

        def texts(number):
            return [value.decode() for value in parsed.get(number, [])]

        self.node = bool(parsed.get(1))
        url = (texts(2) or [""])[0]
        self.type = next((name for name, full in URL.items() if full == url), url)
        self.subscribe, self.unsubscribe = texts(3), texts(4)
        self.nonce = (texts(6) or [""])[0]
        error = fields(parsed[7][0]) if 7 in parsed else {}
        self.error = error.get(2, [b""])[0].decode() if error else None

    def __repr__(self):
        return f"<{self.type} +{self.subscribe} -{self.unsubscribe} nonce={self.nonce} error={self.error}>"


class ScriptedAds:
    """`resources[type]` = {name: bytes} is answered on subscription; push() sends at will. Every request is kept."""

    def __init__(self):
        self.resources = {name: {} for name in TYPES}
        self.requests = []
        self.outgoing = []
        self.lock = threading.Condition()
        self.silent = False
        self.serial = 0
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
        self.server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def service(self, details):
        return grpc.stream_stream_rpc_method_handler(self._stream) if details.method == METHOD else None

    def _stream(self, requests, _context):
        out = queue.Queue()
        self.outgoing.append(out)
        threading.Thread(target=self._read, args=(requests, out), daemon=True).start()
        while True:
            message = out.get()
            if message is None:
                return
            yield message

    def _read(self, requests, out):
        try:
            for data in requests:
                request = Request(data)
                with self.lock:
                    self.requests.append(request)
                    self.lock.notify_all()
                first = not request.nonce
                if (first or request.subscribe) and not self.silent and request.type in TYPES:
                    wanted = {
                        n: r
                        for n, r in self.resources[request.type].items()
                        if request.type in ("cds", "lds", "nds") or n in request.subscribe
                    }
                    out.put(self.response(request.type, wanted))
        except grpc.RpcError:
            pass
        out.put(None)

    def response(self, kind, resources, removed=()):
        self.serial += 1
        items = [
            field(3, name if kind != "nds" else "") + field(2, field(1, URL[kind]) + field(2, body))
            for name, body in resources.items()
        ]
        return (
            field(1, "v1")
            + field(4, URL[kind])
            + field(2, items)
            + field(5, f"n{self.serial}")
            + field(6, list(removed))
        )

    def push(self, kind, resources, removed=()):
        self.push_raw(self.response(kind, resources, removed))

    def push_raw(self, message):
        self.outgoing[-1].put(message)

    def wait(self, condition, deadline_s=20):
        with self.lock:
            assert self.lock.wait_for(lambda: any(condition(r) for r in self.requests), deadline_s), self.requests
            return next(r for r in self.requests if condition(r))

    def nack(self, kind, deadline_s=20):
        """The text of the last NACK of a type."""
        self.wait(lambda r: r.type == kind and r.error is not None, deadline_s)
        return [r.error for r in self.requests if r.type == kind and r.error is not None][-1]

    def stop(self):
        for out in self.outgoing:
            out.put(None)
        self.server.stop(0).wait(5)
