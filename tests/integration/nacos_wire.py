# SPDX-License-Identifier: Apache-2.0
"""Clients of Nacos's protocols that can be told to behave badly: connections of gRPC that fall silent or break, HTTP requests,
and the UDP socket of a 1.x client. The other end may be the agent's door or a Nacos server."""

import gzip
import http.client
import itertools
import json
import queue
import socket
import threading
import urllib.parse

import grpc
import harness
import nacos_rpc

GROUP = "DEFAULT_GROUP"
ABILITIES = {"supportPersistentInstanceByGrpc": True}  # of a client that wants SetupAckRequest
CALL_S = 30.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# Each channel is a connection of its own, and what the server says is not held back.
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 64 << 20))


def options(http_port=0, grpc_port=0):
    """Of an agent with the Nacos door."""
    return ("--nacos-listen", f"127.0.0.1:{http_port}", "--nacos-grpc-listen", f"127.0.0.1:{grpc_port}")


def ports(agent):
    """Where its door is: HTTP and gRPC."""
    return agent.ports["nacos"], agent.ports["nacos_grpc"]


# --- gRPC -----------------------------------------------------------------------------------------------------------


class Connection:
    """A client's connection: what it asks, and what is pushed to it. Pushes are acknowledged as clients do it, unless `mute`."""

    def __init__(self, port, abilities=None, setup=True, mute=False, check=True, options=()):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=(*OPTIONS, *options))
        self.unary = self.channel.unary_unary(nacos_rpc.UNARY)
        self.mute, self.numbers = mute, itertools.count(1)
        self.lock, self.pushes, self.ended = threading.Condition(), [], False
        self.heard = None  # called with each message that is pushed, in the thread that reads
        self.outgoing, self.stream, self.reader = queue.SimpleQueue(), None, None
        self.check = self.ask("ServerCheckRequest")[1] if check else None
        if setup:
            self.set_up(abilities)

    def set_up(self, abilities=None):
        """Returns when the server knows it; the set-up travels beside the calls."""
        self.open_stream()
        self.send("ConnectionSetupRequest", {
            "clientVersion": "Nacos-Java-Client:v2.3.2", "labels": {"source": "sdk", "module": "naming"}, "tenant": "",
            **({"abilityTable": abilities} if abilities is not None else {}),
        })  # fmt: skip
        if abilities is not None:
            self.wait_push("SetupAckRequest")
        else:
            harness.wait_for(lambda: self.ask("HealthCheckRequest")[1]["success"], "a connection that is set up")

    # -- calls

    def call(self, message, timeout=CALL_S):
        """What is answered to these bytes."""
        return self.unary(message, timeout=timeout, wait_for_ready=True)

    def ask(self, kind, _headers=None, **fields):
        """Type and body of the answer."""
        return nacos_rpc.read(self.call(nacos_rpc.payload(kind, fields, _headers)))

    def naming(self, kind, name, group=GROUP, namespace="public", **fields):
        """A request about a service; only the body of the answer."""
        body = {"namespace": namespace, "serviceName": name, "groupName": group, "requestId": "", "module": "naming", **fields}
        return nacos_rpc.read(self.call(nacos_rpc.payload(kind, body)))[1]

    def query(self, name, **fields):
        answer = self.naming("ServiceQueryRequest", name, **{"cluster": "", "healthyOnly": False, "udpPort": 0, **fields})
        assert answer["success"], answer
        return answer["serviceInfo"]

    def subscribe(self, name, wanted=True, clusters="", **fields):
        answer = self.naming("SubscribeServiceRequest", name, subscribe=wanted, clusters=clusters, **fields)
        assert answer["success"], answer
        return answer.get("serviceInfo")

    def register(self, name, entry, kind="registerInstance", **fields):
        return self.naming("InstanceRequest", name, type=kind, instance=entry, **fields)

    def deregister(self, name, entry, **fields):
        return self.register(name, entry, "deregisterInstance", **fields)

    def services(self, page=1, size=1000, **fields):
        """The answer to a question for a page of the list."""
        return self.naming("ServiceListRequest", "", pageNo=page, pageSize=size, selector="", **fields)

    # -- the stream

    def open_stream(self):
        self.stream = self.channel.stream_stream(nacos_rpc.STREAM)(iter(self.outgoing.get, None), wait_for_ready=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def send(self, kind, body, headers=None):
        self.outgoing.put(nacos_rpc.payload(kind, body, headers))

    def send_bytes(self, message):
        self.outgoing.put(message)

    def _read(self):
        try:
            for message in self.stream:
                kind, body = nacos_rpc.read(message)
                if self.heard:
                    self.heard(kind, body)
                with self.lock:
                    self.pushes.append((kind, body))
                    self.lock.notify_all()
                if not self.mute and kind.endswith("Request") and kind != "SetupAckRequest":
                    answer = {"resultCode": 200, "errorCode": 0, "success": True, "requestId": body.get("requestId", "")}
                    self.send(kind.replace("Request", "Response"), answer)
        except grpc.RpcError:
            pass  # the other side has ended it, or we have
        with self.lock:
            self.ended = True
            self.lock.notify_all()

    def pushed(self, kind):
        with self.lock:
            return [body for one, body in self.pushes if one == kind]

    def wait_push(self, kind, holds=lambda body: True, deadline_s=harness.DEADLINE_S):
        """The first push of this kind, past or to come, of which this holds."""
        def find():
            return next((body for one, body in self.pushes if one == kind and holds(body)), None)

        with self.lock:
            assert self.lock.wait_for(lambda: find() or self.ended, deadline_s), (kind, self.pushes[-3:])
            found = find()
            assert found, f"the stream has ended; so far: {self.pushes[-3:]}"
            return found

    def wait_list(self, name, holds, deadline_s=harness.DEADLINE_S):
        """The first list of this service that was pushed and of which this holds."""
        def right(body):
            return body["serviceInfo"]["name"] == name and holds(body["serviceInfo"])

        return self.wait_push("NotifySubscriberRequest", right, deadline_s)["serviceInfo"]

    def wait_ended(self, deadline_s=harness.DEADLINE_S):
        with self.lock:
            assert self.lock.wait_for(lambda: self.ended, deadline_s)

    def stop(self):
        self.outgoing.put(None)
        self.channel.close()
        if self.reader:
            self.reader.join(10)


def instance(ip, port=8080, **fields):
    """As clients register it."""
    return {"ip": ip, "port": port, "weight": 1.0, "healthy": True, "enabled": True, "ephemeral": True, "clusterName": "DEFAULT",
            "metadata": {}, **fields}  # fmt: skip


def places(info):
    """IP:port of each host of a list, in order."""
    return sorted(f"{host['ip']}:{host['port']}" for host in info["hosts"])


def usable(info):
    """Of those that a client would call: some are there only so that the list is not empty."""
    return sorted(f"{h['ip']}:{h['port']}" for h in info["hosts"] if h["enabled"] and h["healthy"] and h["weight"] > 0)


# --- HTTP -----------------------------------------------------------------------------------------------------------


class Http:
    """Requests over one connection that is kept where the server keeps it."""

    def __init__(self, port, agent="Nacos-Java-Client:v1.4.8"):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"User-Agent": agent, "Client-Version": agent, "Request-Module": "Naming"}

    def ask(self, method, path, form=None, headers=None, **query):
        """Status and body, which is read as JSON where it is some."""
        body = urllib.parse.urlencode(form) if isinstance(form, dict) else form
        head = {**self.headers, **(FORM if form is not None else {}), **(headers or {})}
        words = f"?{urllib.parse.urlencode(query)}" if query else ""
        self.connection.request(method, f"/nacos{path}{words}", body, head)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.getheader("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        text = data.decode()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def list(self, name, **query):
        status, body = self.ask("GET", "/v1/ns/instance/list", serviceName=name, **query)
        assert status == 200, (status, body)
        return body

    def close(self):
        self.connection.close()


class Datagrams:
    """The UDP socket of a 1.x client. `drops`: told each datagram, it says whether that one is lost on the way; then there is no
    acknowledgement either."""

    def __init__(self, drops=lambda data: False):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.drops, self.heard = drops, None  # `heard` is called with each list
        self.lock, self.lists, self.senders, self.running = threading.Condition(), [], [], True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        self.socket.settimeout(0.2)
        while self.running:
            try:
                data, sender = self.socket.recvfrom(65536)
            except socket.timeout:
                continue
            self.senders.append(sender)
            if self.drops(data):
                continue
            message = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
            assert message["type"] == "dom", message
            ack = {"type": "push-ack", "lastRefTime": str(message["lastRefTime"]), "data": ""}
            self.socket.sendto(json.dumps(ack).encode(), sender)
            info = json.loads(message["data"])
            if self.heard:
                self.heard(info)
            with self.lock:
                self.lists.append(info)
                self.lock.notify_all()

    def wait_list(self, holds, deadline_s=harness.DEADLINE_S):
        with self.lock:
            assert self.lock.wait_for(lambda: any(map(holds, self.lists)), deadline_s), self.lists[-2:]
            return next(info for info in self.lists if holds(info))

    def stop(self):
        self.running = False
        self.thread.join(5)
        self.socket.close()
