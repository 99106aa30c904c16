#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include and link what. CMake hides what is not linked; this table says what may be linked, keeps third-party
libraries in their places and sockets out of the engines. The same table stands in docs/ARCHITECTURE.md."""
import re

import lint

DIALECTS = ["api_rest", "api_admin", "api_eureka", "api_nacos", "api_consul", "api_springk8s"]
MAY = {  # module -> modules it may use
    "base": "", "proto": "", "regex": "base", "loop": "base", "config": "base", "dns_wire": "base",
    "mesh": "base regex", "xds": "base mesh proto", "xds_grpc": "base loop mesh xds", "files": "base loop mesh",
    "snapshot": "base mesh",
    "dns_answer": "base mesh dns_wire", "dns_forward": "base loop mesh dns_wire",
    "dns_server": "base loop mesh dns_wire dns_answer dns_forward",
    "api_core": "base mesh", "api_http": "base loop mesh api_core", "api_grpc": "base loop mesh api_core",
    **{dialect: "base mesh api_core" for dialect in DIALECTS},
    "cli": "base config version", "main": "base config runtime cli version",
}
MAY["runtime"] = " ".join([*(name for name in MAY if name not in ("cli", "main", "proto")), "version"])
ONLY = {  # one side of a seam: header -> modules that may include it
    "mesh/builder.h": "mesh xds files snapshot runtime",
    "mesh/resolve.h": "mesh xds_grpc dns_forward runtime",
}
NARROW = {"dns_forward": ["mesh/resolve.h", "mesh/types.h"]}  # all that a module may include of the mesh
LIBRARIES = {  # third party: header pattern, CMake target pattern, modules
    "gRPC": (r"grpc(pp)?/", r"PkgConfig::GRPC|gRPC::", "xds_grpc api_grpc"),
    "c-ares": (r"ares", r"PkgConfig::CARES", "dns_forward"),
    "libmicrohttpd": (r"microhttpd\.h", r"PkgConfig::MICROHTTPD", "api_http"),
    "jansson": (r"jansson", r"PkgConfig::JANSSON", "cli api_core config"),
    "libyaml": (r"yaml\.h", r"PkgConfig::YAML", "config files"),
    "protobuf-c": (r"protobuf-c/", r"PkgConfig::PROTOBUF_C", "proto xds"),
    "RE2": (r"re2/", r"PkgConfig::RE2", "regex"),
    "xxHash": (r"xxh", r"PkgConfig::XXHASH", "base"),
    "zlib": (r"zlib\.h", r"ZLIB::ZLIB|PkgConfig::ZLIB", "api_core api_http snapshot"),
}
SYSTEM = set("""arpa/inet assert cerrno cstring dirent endian errno exception fcntl float grp ifaddrs inttypes limits
    malloc math memory net/if netinet/in netinet/tcp netinet/udp new poll pthread sched semaphore signal stdalign stdarg
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings sys/epoll sys/eventfd sys/file sys/inotify
    sys/ioctl sys/mman sys/prctl sys/random sys/resource sys/signalfd sys/socket sys/stat sys/statfs sys/syscall
    sys/time sys/timerfd sys/types sys/uio sys/un sys/utsname sys/wait termios time unistd utility""".split())
IO = r"(poll|sys/(epoll|eventfd|inotify|signalfd|socket|timerfd|un))\.h"
ENGINES = ["mesh", "regex", "xds", "proto", "dns_wire", "dns_answer", "api_core", *DIALECTS]  # bytes in, bytes out
GENERATED = {"openapi.h", "version.h"}


def module_of(name):
    top, sub = name.split("/")[:2]
    return "main" if name == "agent/main.c" else sub if top == "agent" else f"{top}_{sub}"


def check_ours(name, number, module, header):
    folder, slash, leaf = header.rpartition("/")
    if not slash:
        private = leaf.endswith("_priv.h") and (lint.ROOT / name).parent.joinpath(leaf).exists()
        if not private and leaf not in GENERATED:
            lint.report(name, number, f'"{header}" is neither a public header (MODULE/x.h) nor x_priv.h of this folder')
    elif folder != module and folder not in MAY[module].split():
        lint.report(name, number, f"{module} may not use {folder} (tests/lint/check_includes.py has the table)")
    elif header in ONLY and module not in ONLY[header].split():
        lint.report(name, number, f"{module} may not use {header}: only {ONLY[header]} may")
    elif folder == "mesh" and header not in NARROW.get(module, [header]):
        lint.report(name, number, f"{module} may use {' and '.join(NARROW[module])} only of the mesh")


def check_system(name, number, module, header):
    for library, (pattern, _, modules) in LIBRARIES.items():
        if re.match(pattern, header):
            if module not in modules.split():
                lint.report(name, number, f"{library} belongs into {modules} only")
            return
    if header.removesuffix(".h") not in SYSTEM:
        lint.report(name, number, f"<{header}> is not in the table of known headers")
    elif module in ENGINES and re.fullmatch(IO, header):
        lint.report(name, number, f"{module} is an engine without sockets: no <{header}>")


def check_links(name):
    for block in re.finditer(r"ist_module\((\w+)(.*?)\)", lint.read(name), re.S):
        module, number = block[1], lint.line_of(block.string, block.start())
        for used in re.findall(r"ist::(\w+)", block[2]):
            if used not in MAY.get(module, "").split():
                lint.report(name, number, f"{module} may not link {used}")
        for library, (_, target, modules) in LIBRARIES.items():
            if re.search(target, block[2]) and module not in modules.split():
                lint.report(name, number, f"{module} may not link {library}: it belongs into {modules}")


for path in lint.files(".c", ".h", ".cc", under=("agent", "dns", "api")):
    owner = module_of(path)
    if owner not in MAY:
        lint.report(path, 1, f"module {owner} is not in the table of tests/lint/check_includes.py")
        continue
    for at, line in enumerate(lint.read(path).split("\n"), 1):
        if found := re.match(r'\s*#\s*include\s*(["<])([^">]+)', line):
            (check_ours if found[1] == '"' else check_system)(path, at, owner, found[2])
for path in lint.files("CMakeLists.txt", under=("agent", "dns", "api", "proto")):
    check_links(path)
lint.finish()
