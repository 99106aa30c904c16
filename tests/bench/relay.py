# SPDX-License-Identifier: Apache-2.0
"""A transparent TCP relay, a process of its own, that knows when a push has ended.

It follows the HTTP/2 frames that come from the server (RFC 9113 section 4.1) and notes, before it hands the bytes on, the
time of each piece in which a DATA frame ends: no byte of the push comes later. Acknowledged pings and window updates,
which the peers exchange while they work on a push, do not count."""
import multiprocessing
import selectors
import socket
import time

HEAD_BYTES = 9
DATA = 0
PIECE_BYTES = 1 << 16


class Frames:
    """Counts the DATA frames that end in a stream of bytes."""

    def __init__(self):
        self.head = b""
        self.left = 0  # bytes of the present frame's payload that are to come
        self.kind = None

    def feed(self, piece):
        ended = at = 0
        while at < len(piece):
            if self.kind is None:
                take = piece[at:at + HEAD_BYTES - len(self.head)]
                self.head += take
                at += len(take)
                if len(self.head) < HEAD_BYTES:
                    break
                self.left, self.kind, self.head = int.from_bytes(self.head[:3], "big"), self.head[3], b""
            skip = min(self.left, len(piece) - at)
            self.left -= skip
            at += skip
            if self.left == 0:
                ended += self.kind == DATA
                self.kind = None
        return ended


def _pump(listener, target, ended_ns, count):
    client = listener.accept()[0]
    server = socket.create_connection(target)
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    frames = Frames()
    selector = selectors.DefaultSelector()
    selector.register(client, selectors.EVENT_READ, server)
    selector.register(server, selectors.EVENT_READ, client)
    while True:
        for key, _ in selector.select():
            piece = key.fileobj.recv(PIECE_BYTES)
            if not piece:
                return
            ended = frames.feed(piece) if key.fileobj is server else 0
            if ended:
                ended_ns.value = time.monotonic_ns()
                count.value += ended
            key.data.sendall(piece)


class Relay:
    """For one connection. ended_ns: CLOCK_MONOTONIC when the last DATA frame was about to be handed on."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        self._ended_ns = multiprocessing.Value("q", 0)
        self._count = multiprocessing.Value("q", 0)
        self._process = multiprocessing.Process(
            target=_pump, args=(listener, (host, int(port)), self._ended_ns, self._count), daemon=True)
        self._process.start()
        listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._process.terminate()
        self._process.join()

    def look(self):
        """(time of the last one in ns, how many so far)"""
        return self._ended_ns.value, self._count.value
