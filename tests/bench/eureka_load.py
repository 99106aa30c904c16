# SPDX-License-Identifier: Apache-2.0
"""Clients of a registry over plain sockets that stay open: one that asks again and again, and many that ask by the clock."""
import heapq
import select
import socket
import time

REQUEST = ("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n"
           "User-Agent: Java-EurekaClient/v1.10.18\r\nDiscoveryIdentity-Name: DefaultClient\r\n"
           "DiscoveryIdentity-Version: 1.4\r\nDiscoveryIdentity-Id: 10.250.0.1\r\nConnection: Keep-Alive\r\n{cookie}\r\n")
WHOLE = "/eureka/apps/"
DELTA = "/eureka/apps/delta"
READ_BYTES = 1 << 18


class Client:
    """One connection; answers have a Content-Length or come in chunks. A client that is to ask for the delta has read the whole
    list before, as clients do; it returns the cookie that it got there, or (`forgetful`) it does not."""

    def __init__(self, port, path, forgetful=False):
        self.port, self.forgetful, self.connected = port, forgetful, None
        self.cookie = ""
        self.aim(path)
        self.socket = None
        self.got = self.body = b""
        self.due = 0.0
        self.reconnects = -1
        self.connect()
        if path == DELTA:
            self.aim(WHOLE)
            self.ask()
            self.aim(DELTA)

    def aim(self, path):
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie and not self.forgetful else ""
        self.request = REQUEST.format(path=path, port=self.port, cookie=cookie).encode()

    def connect(self):
        if self.socket:
            self.socket.close()
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.reconnects += 1
        if self.connected:
            self.connected(self)

    def send(self):
        """Servers close a connection after so many requests; then this is done on a new one."""
        try:
            self.socket.sendall(self.request)
        except OSError:
            self.connect()
            self.socket.sendall(self.request)

    def take(self):
        """Reads what is there; the bytes of the answer's body once it is whole, else None."""
        piece = self.socket.recv(READ_BYTES)
        if not piece:
            self.connect()
            self.socket.sendall(self.request)
            return None
        self.got += piece
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found:
            return None
        lower = head.lower()
        assert lower.startswith(b"http/1.1 200"), head
        if b"transfer-encoding: chunked" in lower:
            whole, length = body.endswith(b"\r\n0\r\n\r\n"), len(body)
        else:
            length = int(lower.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            whole = len(body) >= length
        if not whole:
            return None
        _, found, cookie = head.partition(b"Set-Cookie: ")
        self.cookie = cookie.split(b";", 1)[0].decode() if found else self.cookie
        self.body = body
        self.got = b""
        return length

    def ask(self):
        self.send()
        while (length := self.take()) is None:
            pass
        return length

    def close(self):
        self.socket.close()


def one_by_one(port, path, seconds, forgetful=False):
    """Answers of one client that asks again as soon as it has an answer: how many, their bytes, their times."""
    client, times = Client(port, path, forgetful), []
    length = client.ask()
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        client.ask()
        times.append(time.monotonic() - now)
    client.close()
    return {"answers": len(times), "bytes": length, "times": times}


class Crowd:
    """Connected clients that each ask once in a period, evenly spread; a time counts from when the question was due."""

    def __init__(self, port, path, count, period_s):
        self.poll, self.by_fd = select.epoll(), {}
        self.clients = [Client(port, path) for _ in range(count)]
        for client in self.clients:
            client.connected = self.connected
            self.connected(client)
        self.period_s, self.times, self.length, self.waiting = period_s, [], 0, 0

    def connected(self, client):
        fd = client.socket.fileno()
        self.by_fd[fd] = client
        self.poll.register(fd, select.EPOLLIN)

    def send_due(self, due, end):
        while due[0][0] <= time.monotonic() and due[0][0] < end:
            at, i = due[0]
            client = self.clients[i]
            if not client.due:  # else its last answer is still to come, and this question is not asked
                client.due = at
                client.send()
                self.waiting += 1
            heapq.heapreplace(due, (at + self.period_s, i))

    def take(self, wait_s):
        for fd, _ in self.poll.poll(max(0, wait_s)):
            client = self.by_fd[fd]
            length = client.take()
            if length is not None:
                self.times.append(time.monotonic() - client.due)
                client.due, self.length = 0.0, length
                self.waiting -= 1

    def run(self, seconds):
        start = time.monotonic() + 0.1
        end = start + seconds
        due = [(start + i * self.period_s / len(self.clients), i) for i in range(len(self.clients))]
        while due[0][0] < end or self.waiting:
            self.send_due(due, end)
            self.take(due[0][0] - time.monotonic() if due[0][0] < end else 60)
        for client in self.clients:
            client.close()
        self.poll.close()


def by_the_clock(port, path, count, period_s, seconds):
    crowd = Crowd(port, path, count, period_s)
    crowd.run(seconds)
    return {"answers": len(crowd.times), "bytes": crowd.length, "times": crowd.times,
            "reconnects": sum(c.reconnects for c in crowd.clients)}
