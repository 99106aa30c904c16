# SPDX-License-Identifier: Apache-2.0
"""The configuration side of a Nacos server, as much of it as a test needs that wants to see what reaches the server, to have it
come late, and to break it. A real one is in tests/clients."""

import concurrent.futures
import hashlib
import queue

import grpc

import nacos_rpc


class Server(grpc.GenericRpcHandler):
    """`asked` has (peer, type, body) of every call; a call of a connection that is not set up is refused with 301."""

    def __init__(self, port=0, unregistered=0):
        self.configs, self.streams, self.watched, self.asked, self.said = {}, {}, {}, [], []
        self.unregistered = unregistered  # so many calls are refused whatever was set up
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), [self])
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.server.start()

    def service(self, details):
        if details.method == nacos_rpc.UNARY:
            return grpc.unary_unary_rpc_method_handler(self._call)
        return grpc.stream_stream_rpc_method_handler(self._stream) if details.method == nacos_rpc.STREAM else None

    def stop(self):
        self.server.stop(0).wait()

    def _stream(self, messages, context):
        out = queue.Queue()

        def listen():
            try:
                for message in messages:
                    kind, body = nacos_rpc.read(message)
                    self.said.append((kind, body))
                    if kind == "ConnectionSetupRequest":
                        self.streams[context.peer()] = out
            except grpc.RpcError:
                pass  # the client has gone
            self.streams.pop(context.peer(), None)
            out.put(None)

        concurrent.futures.ThreadPoolExecutor(1).submit(listen)
        yield from iter(out.get, None)

    def push(self, kind, body):
        for out in list(self.streams.values()):
            out.put(nacos_rpc.payload(kind, body))

    def _call(self, message, context):
        kind, body = nacos_rpc.read(message)
        peer = context.peer()
        self.asked.append((peer, kind, body))
        if peer not in self.streams or self.unregistered > 0:
            self.unregistered -= 1
            refusal = {"resultCode": 500, "errorCode": 301, "message": "Connection is unregistered."}
            return nacos_rpc.payload("ErrorResponse", refusal)
        return nacos_rpc.payload(*getattr(self, kind)(peer, body))

    def ConfigQueryRequest(self, _, body):  # noqa: N802 - named as the request
        content = self.configs.get((body["dataId"], body["group"]))
        if content is None:
            return "ConfigQueryResponse", {"resultCode": 500, "errorCode": 300, "message": "config data not exist"}
        return "ConfigQueryResponse", {"resultCode": 200, "success": True, "content": content}

    def ConfigPublishRequest(self, _, body):  # noqa: N802
        key = body["dataId"], body["group"]
        self.configs[key] = body["content"]
        for peer, keys in self.watched.items():
            if key in keys and peer in self.streams:
                notice = {"requestId": "7", "dataId": key[0], "group": key[1], "tenant": ""}
                self.streams[peer].put(nacos_rpc.payload("ConfigChangeNotifyRequest", notice))
        return "ConfigPublishResponse", {"resultCode": 200, "success": True}

    def ConfigBatchListenRequest(self, peer, body):  # noqa: N802
        changed = []
        for one in body["configListenContexts"]:
            key = one["dataId"], one["group"]
            self.watched.setdefault(peer, set()).add(key)
            md5 = hashlib.md5(self.configs[key].encode()).hexdigest() if key in self.configs else ""
            changed += [{"dataId": key[0], "group": key[1]}] if md5 != one["md5"] else []
        return "ConfigChangeBatchListenResponse", {"resultCode": 200, "success": True, "changedConfigs": changed}
