# SPDX-License-Identifier: Apache-2.0
"""One small HTTP/1.1 server on every address of 127.0.0.0/8 at once, that says at which one it was called; over TLS where
it is given a certificate and its key.

Prints its port as the first line and ends with its standard input.
"""

import asyncio
import socket
import ssl
import sys


class Call(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, b""
        address, port = transport.get_extra_info("sockname")[:2]
        place = f"{address}:{port}"
        self.answer = (
            f"HTTP/1.1 200 OK\r\nx-echo: {address}\r\ncontent-type: text/plain\r\ncontent-length: {len(place)}\r\n\r\n{place}"
        ).encode()

    def data_received(self, data):
        """Requests have no body here, so that each empty line ends one."""
        *whole, self.received = (self.received + data).split(b"\r\n\r\n")
        self.transport.write(self.answer * len(whole))


def listen():
    """All addresses of the loopback interface, and no other interface."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("0.0.0.0", 0))
    listener.listen(1024)
    return listener


def encryption(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def serve(*files):
    loop = asyncio.get_running_loop()
    listener = listen()
    await loop.create_server(Call, sock=listener, ssl=encryption(*files) if files else None)
    print(listener.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(serve(*sys.argv[1:]))
