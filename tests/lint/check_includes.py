#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include and link what. CMake hides what is not linked; the table in docs/ARCHITECTURE.md, which this reads, says
what may be linked, keeps third-party libraries in their places (their headers in /usr/include are visible to all), and
engines have no sockets."""
import re

import lint

TABLE = "docs/ARCHITECTURE.md"
ONLY = {  # one side of a seam: header -> modules that may include it
    "mesh/builder.h": "mesh xds files runtime",
    "mesh/resolve.h": "mesh xds_grpc dns_forward runtime",
}
NARROW = {"dns_forward": ["mesh/resolve.h", "mesh/types.h"]}  # all that a module may include of the mesh
LIBRARIES = {  # third party: header pattern, CMake target pattern
    "gRPC": (r"grpc(pp)?/", r"PkgConfig::GRPC|gRPC::"), "c-ares": (r"ares", r"PkgConfig::CARES"),
    "libmicrohttpd": (r"microhttpd\.h", r"PkgConfig::MICROHTTPD"), "jansson": (r"jansson", r"PkgConfig::JANSSON"),
    "libyaml": (r"yaml\.h", r"PkgConfig::YAML"), "protobuf-c": (r"protobuf-c/", r"PkgConfig::PROTOBUF_C"),
    "RE2": (r"re2/", r"PkgConfig::RE2"), "xxHash": (r"xxh", r"PkgConfig::XXHASH"),
    "expat": (r"expat", r"PkgConfig::EXPAT"), "zlib": (r"zlib\.h", r"ZLIB::ZLIB|PkgConfig::ZLIB"),
}
SYSTEM = set("""arpa/inet assert cerrno cstring dirent endian errno exception fcntl float grp ifaddrs inttypes limits
    linux/netlink linux/rtnetlink linux/sock_diag
    malloc math memory net/if netinet/in netinet/tcp netinet/udp new poll pthread sched semaphore signal stdalign stdarg
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings sys/epoll sys/eventfd sys/file sys/inotify
    link sys/ioctl sys/mman sys/prctl sys/random sys/resource sys/signalfd sys/socket sys/stat sys/statfs sys/syscall
    sys/time sys/timerfd sys/types sys/uio sys/un sys/utsname sys/wait termios time unistd utility""".split())
IO = r"(poll|sys/(epoll|eventfd|inotify|signalfd|socket|timerfd|un))\.h"
ADAPTERS = {"base", "loop", "sockets", "takeover", "supervise", "config", "grpc_loop", "xds_grpc", "files", "dns_forward",
            "dns_server", "api_http", "api_grpc", "api_udp", "snapshot", "runtime", "cli",
            "main"}  # all others are engines: bytes in, bytes out
GENERATED = {"injection_template.h", "openapi.h", "page_css.h", "version.h"}
MAY, LIBRARIES_OF = {}, {}  # module -> modules, libraries


def read_table():
    """Rows `| modules | modules | libraries | ...` with names in backticks; a row names only modules of rows above."""
    for row in re.finditer(r"^\| (`[\w` ]+`) \| ([^|]*)\| ([^|]*)\|", lint.read(TABLE), re.M):
        used = re.findall(r"`(\w+)`", row[2])
        for module in set(used) - MAY.keys():
            lint.report(TABLE, lint.line_of(row.string, row.start()), f"{row[1]} uses {module}, which stands below or nowhere")
        for module in re.findall(r"`(\w+)`", row[1]):
            MAY[module], LIBRARIES_OF[module] = used, re.findall(r"`([\w-]+)`", row[3])


def module_of(name):
    top, sub = name.split("/")[:2]
    return "main" if name == "agent/main.c" else sub if top == "agent" else f"{top}_{sub}"


def check_ours(name, number, module, header):
    folder, slash, leaf = header.rpartition("/")
    if not slash:
        private = leaf.endswith("_priv.h") and (lint.ROOT / name).parent.joinpath(leaf).exists()
        if not private and leaf not in GENERATED:
            lint.report(name, number, f'"{header}" is neither a public header (MODULE/x.h) nor x_priv.h of this folder')
    elif folder != module and folder not in MAY[module]:
        lint.report(name, number, f"{module} may not use {folder} ({TABLE} section 3)")
    elif header in ONLY and module not in ONLY[header].split():
        lint.report(name, number, f"{module} may not use {header}: only {ONLY[header]} may")
    elif folder == "mesh" and header not in NARROW.get(module, [header]):
        lint.report(name, number, f"{module} may use {' and '.join(NARROW[module])} only of the mesh")


def check_system(name, number, module, header):
    for library, (pattern, _) in LIBRARIES.items():
        if re.match(pattern, header):
            if library not in LIBRARIES_OF[module]:
                lint.report(name, number, f"{module} may not use {library} ({TABLE} section 3)")
            return
    if header.removesuffix(".h") not in SYSTEM:
        lint.report(name, number, f"<{header}> is not in the table of known headers")
    elif module not in ADAPTERS and re.fullmatch(IO, header):
        lint.report(name, number, f"{module} is an engine without sockets: no <{header}>")


def check_links(name):
    for block in re.finditer(r"ist_module\((\w+)(.*?)\)", lint.read(name), re.S):
        module, number = block[1], lint.line_of(block.string, block.start())
        for used in re.findall(r"ist::(\w+)", block[2]):
            if used not in MAY.get(module, []):
                lint.report(name, number, f"{module} may not link {used}")
        for library, (_, target) in LIBRARIES.items():
            if re.search(target, block[2]) and library not in LIBRARIES_OF.get(module, []):
                lint.report(name, number, f"{module} may not link {library}")


read_table()
for path in lint.files(".c", ".h", ".cc", under=("agent", "dns", "api")):
    owner = module_of(path)
    if owner not in MAY:
        lint.report(path, 1, f"module {owner} is not in the table of {TABLE} section 3")
        continue
    for at, line in enumerate(lint.read(path).split("\n"), 1):
        if found := re.match(r'\s*#\s*include\s*(["<])([^">]+)', line):
            (check_ours if found[1] == '"' else check_system)(path, at, owner, found[2])
for path in lint.files("CMakeLists.txt", under=("agent", "dns", "api", "proto")):
    check_links(path)
lint.finish()
