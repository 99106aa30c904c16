# SPDX-License-Identifier: Apache-2.0
"""What passes by UDP over loopback in the pod's network, seen from outside of those who send it."""

import gzip
import json
import socket
import struct
import threading

ETH_P_IP = 0x0800
LINK_BYTES, IP_UDP, UDP_BYTES = 14, 17, 8
POLL_S = 0.2


def payload(frame):
    """Of an IPv4 datagram with UDP, else None."""
    packet = frame[LINK_BYTES:]
    if packet[9] != IP_UDP:
        return None
    at = (packet[0] & 0x0F) * 4
    return packet[at + UDP_BYTES : at + struct.unpack("!H", packet[at + 4 : at + 6])[0]]


def message(data):
    """What Nacos sends is JSON, compressed where it is long. Others send something else."""
    try:
        return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except ValueError:
        return None


class Datagrams:
    """Keeps the messages of Nacos that pass while it is there."""

    def __init__(self):
        self.messages, self.running = [], True
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.socket.bind(("lo", ETH_P_IP))
        self.socket.settimeout(POLL_S)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while self.running:
            try:
                frame, (_, _, kind, *_) = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            data = payload(frame) if kind != socket.PACKET_OUTGOING else None  # else everything would be seen twice
            found = message(data) if data else None
            if isinstance(found, dict):
                self.messages.append(found)

    def of(self, kind):
        return [one for one in list(self.messages) if one.get("type") == kind]

    def acknowledged(self):
        """What a server has pushed and a client has acknowledged: the lists."""
        heard = {str(one["lastRefTime"]) for one in self.of("push-ack")}
        return [json.loads(one["data"]) for one in self.of("dom") if str(one["lastRefTime"]) in heard]

    def stop(self):
        self.running = False
        self.thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
