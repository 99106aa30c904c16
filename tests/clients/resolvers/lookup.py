# SPDX-License-Identifier: Apache-2.0
"""socket.getaddrinfo: the same lines as lookup.c."""

import socket
import sys

FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6, "0": socket.AF_UNSPEC}


def look_up(name, family):
    try:
        return " ".join(each[4][0] for each in socket.getaddrinfo(name, 80, FAMILIES[family], socket.SOCK_STREAM))
    except socket.gaierror as error:
        return f"! {error}"


for line in sys.stdin:
    host, kind, times = line.split()
    for _ in range(int(times)):
        print(look_up(host, kind))
    sys.stdout.flush()
