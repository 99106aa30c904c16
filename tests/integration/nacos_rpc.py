# SPDX-License-Identifier: Apache-2.0
"""A client of Nacos's gRPC protocol as bare as it can be: payloads by hand, so that a test sees what is on the wire."""

import json
import queue
import threading

import grpc

import scripted_ads
from scripted_ads import field

DEADLINE_S = 60
UNARY = "/Request/request"
STREAM = "/BiRequestStream/requestBiStream"


def payload(kind, body, headers=None):
    """Metadata.type = 3, Metadata.headers = 7; Payload.metadata = 2, Payload.body = 3; Any.value = 2."""
    entries = b"".join(field(7, field(1, key) + field(2, value)) for key, value in (headers or {}).items())
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return field(2, field(3, kind) + entries) + field(3, field(2, raw))


def read(message):
    """(type, body)"""
    outer = scripted_ads.fields(message)
    kind = scripted_ads.fields(outer[2][0])[3][0].decode()
    return kind, json.loads(scripted_ads.fields(outer[3][0])[2][0])


class Client:
    """One connection. `pushes` has what the server sends on the stream, which is acknowledged as clients do."""

    def __init__(self, port, host="127.0.0.1"):
        self.channel = grpc.insecure_channel(f"{host}:{port}", [("grpc.use_local_subchannel_pool", 1)])
        self.unary = self.channel.unary_unary(UNARY)
        self.up = queue.Queue()
        self.pushes = queue.Queue()
        self.stream = None
        self.ended = threading.Event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.channel.close()

    def ask(self, kind, body=None, headers=None):
        return read(self.unary(payload(kind, body or {}, headers), timeout=DEADLINE_S))

    def open(self):
        """The stream without anything on it."""
        self.stream = self.channel.stream_stream(STREAM)(iter(self.up.get, None))
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def connect(self, version="Nacos-Java-Client:v2.5.1", labels=None, module="naming"):
        """As clients connect: a check, the stream, the setup and its acknowledgement."""
        kind, body = self.ask("ServerCheckRequest")
        assert kind == "ServerCheckResponse" and body["success"], body
        self.open()
        self.send(
            "ConnectionSetupRequest",
            {"clientVersion": version, "labels": {"source": "sdk", "module": module, **(labels or {})}, "abilityTable": {}},
        )
        kind, _ = self.pushes.get(timeout=DEADLINE_S)
        assert kind == "SetupAckRequest", kind
        return self

    def send(self, kind, body):
        self.up.put(payload(kind, body))

    def _listen(self):
        try:
            for message in self.stream:
                kind, body = read(message)
                if "requestId" in body:
                    self.send(kind.replace("Request", "Response"), {"requestId": body["requestId"], "resultCode": 200})
                self.pushes.put((kind, body))
        except grpc.RpcError:
            pass  # it has ended, by whichever side
        self.ended.set()

    def push_where(self, condition, what):
        """The first push from here on of which the condition is true."""
        seen = []
        while not seen or not condition(*seen[-1]):
            try:
                seen.append(self.pushes.get(timeout=DEADLINE_S))
            except queue.Empty:
                raise AssertionError(f"no push: {what}; there were {seen}") from None
        return seen[-1]

    def subscribe(self, name, group="DEFAULT_GROUP", subscribe=True):
        kind, body = self.ask(
            "SubscribeServiceRequest",
            {"namespace": "public", "serviceName": name, "groupName": group, "subscribe": subscribe, "clusters": ""},
        )
        assert kind == "SubscribeServiceResponse" and body["success"], body
        return body.get("serviceInfo")

    def register(self, name, ip, port, group="DEFAULT_GROUP"):
        instance = {"ip": ip, "port": port, "weight": 1.0, "healthy": True, "enabled": True, "ephemeral": True}
        kind, body = self.ask(
            "InstanceRequest",
            {"namespace": "public", "serviceName": name, "groupName": group, "type": "registerInstance", "instance": instance},
        )
        assert kind == "InstanceResponse" and body["success"], body


def addresses(info):
    """Of a service's list: those that may be called."""
    return {host["ip"] for host in info["hosts"] if host["enabled"] and host["healthy"] and host["weight"] > 0}
