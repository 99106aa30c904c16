# SPDX-License-Identifier: Apache-2.0
"""Runs what a pod's manifest says, as a kubelet would and without one: a network namespace with its sysctls, the resolv.conf of
its dnsConfig, and Isthmus in a mount namespace with nothing but its binary, its libraries and its volumes, read-only, under its
user, without a capability. Needs root."""

import concurrent.futures
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import threading

import charts
import harness

POSSIBLE = os.geteuid() == 0 and shutil.which("unshare") is not None
CLONE_NEWNET = 0x40000000
POD_IP = "10.244.1.7"
LIBRARIES = ("usr/lib", "usr/lib64", "lib", "lib64")  # what an image without a shell has, beside the binary


def resolv_conf(spec):
    config = spec["dnsConfig"]
    options = [each["name"] + (f":{each['value']}" if "value" in each else "") for each in config.get("options", [])]
    lines = [f"nameserver {each}" for each in config["nameservers"]]
    return "\n".join([*lines, f"search {' '.join(config['searches'])}", f"options {' '.join(options)}"]) + "\n"


def downward(pairs):
    """The form of a file of the downward API."""
    return "".join(f"{key}={json.dumps(value)}\n" for key, value in sorted(pairs.items()))


class Sandbox:
    """The pod's network. The addresses of the cluster that the tests need are local in it."""

    def __init__(self, spec, *addresses):
        own = "\n".join(f"ip address add {each}/32 dev pod0" for each in (POD_IP, *addresses))
        sysctls = "\n".join(f"sysctl -q -w {each['name']}={each['value']}" for each in spec["securityContext"]["sysctls"])
        script = f"""
            set -e
            ip link set lo up
            ip link add pod0 type veth peer name node0
            ip link set pod0 up
            ip link set node0 up
            sysctl -q -w net.ipv4.ip_unprivileged_port_start=1024
            {own}
            {sysctls}
            echo up
            exec cat
        """
        self.holder = subprocess.Popen(["unshare", "--net", "bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True)  # fmt: skip
        assert self.holder.stdout.readline() == "up\n"

    def inside(self, action):
        """Calls it in a thread that is in this network, so that its sockets are, and processes that it starts."""
        result = concurrent.futures.Future()

        def enter_and_call():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/proc/{self.holder.pid}/ns/net", encoding="ascii") as namespace:
                assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            return action()

        def call():
            try:
                result.set_result(enter_and_call())
            except BaseException as problem:  # told to the caller
                result.set_exception(problem)

        threading.Thread(target=call).start()
        return result.result()

    def stop(self):
        self.holder.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.holder.wait(10)
        self.holder.stdout.close()


class Pod:
    """One pod: `manifest` as the injector made it, `files` volume name -> {file name: text} of what the cluster has."""

    def __init__(self, folder, sandbox, manifest, files):
        self.folder, self.sandbox, self.manifest = folder, sandbox, manifest
        self.fields = {
            **{f"metadata.{key}": manifest["metadata"][key] for key in ("name", "namespace")},
            "status.podIPs": POD_IP, "spec.serviceAccountName": manifest["spec"].get("serviceAccountName", "default"),
            "spec.nodeName": "node-1",
        }  # fmt: skip
        (folder / "resolv.conf").write_text(resolv_conf(manifest["spec"]))
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")
        self._volumes(files)

    def _volumes(self, files):
        for volume in self.manifest["spec"]["volumes"]:
            place = self.folder / "volumes" / volume["name"]
            place.mkdir(parents=True)
            place.chmod(0o777 if "emptyDir" in volume else 0o755)
            contents = dict(files.get(volume["name"], {}))
            for item in volume.get("downwardAPI", {}).get("items", []):
                contents[item["path"]] = downward(self.manifest["metadata"][item["fieldRef"]["fieldPath"].partition(".")[2]])
            for name, text in contents.items():
                (place / name).write_text(text)

    def environment(self, container):
        """NAME=VALUE words."""
        values = [(each["name"], each.get("value") or self.fields[each["valueFrom"]["fieldRef"]["fieldPath"]])
                  for each in container.get("env", [])]  # fmt: skip
        return ["KUBERNETES_SERVICE_HOST=10.96.0.1", *(f"{name}={value}" for name, value in values)]

    def _root(self, container):
        """The file system of the container, as a script that makes it."""
        root = self.folder / "root"
        shutil.rmtree(root, ignore_errors=True)  # of the container before a restart; nothing is mounted here
        for place in ("usr/bin", "proc", "dev", "etc"):
            (root / place).mkdir(parents=True)
        shutil.copy(harness.binary(), root / "usr/bin/isthmus")
        shutil.copy(shutil.which("setpriv"), root / "usr/bin/setpriv")
        (root / "etc/resolv.conf").touch()
        binds = [(self.folder / "resolv.conf", "etc/resolv.conf"), ("/dev", "dev"), ("/proc", "proc")]
        for place in LIBRARIES:
            if pathlib.Path(f"/{place}").is_symlink():
                (root / place).symlink_to(os.readlink(f"/{place}"))
            elif pathlib.Path(f"/{place}").is_dir():
                (root / place).mkdir(parents=True, exist_ok=True)
                binds.append((f"/{place}", place))
        for mount in container["volumeMounts"]:
            (root / mount["mountPath"].lstrip("/")).mkdir(parents=True)
            binds.append((self.folder / "volumes" / mount["name"], mount["mountPath"].lstrip("/")))
        return "\n".join([f"mount --bind {root} {root}", *(f"mount --bind {what} {root}/{where}" for what, where in binds),
                          f"mount -o remount,bind,ro {root}"])  # fmt: skip

    def start_agent(self):
        """Isthmus as its container says; readiness is what its probe says."""
        container = charts.agent(self.manifest)
        security = container["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"]} and not security["allowPrivilegeEscalation"]
        drop = ["/usr/bin/setpriv", f"--reuid={security['runAsUser']}", f"--regid={security['runAsGroup']}", "--clear-groups",
                "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]  # fmt: skip
        script = f"""
            set -e
            mount --make-rprivate /
            {self._root(container)}
            exec env -i {" ".join(f"'{each}'" for each in self.environment(container))} \\
              "$(command -v chroot)" {self.folder}/root {" ".join(drop)} {" ".join(container["command"])} "$@"
        """
        words = ["unshare", "--mount", "bash", "-c", script, "isthmus", *container["args"]]
        return self.sandbox.inside(lambda: harness.Process(words))

    def probe(self, name):
        """The status of a probe of the kubelet, to the pod's address."""
        target = charts.agent(self.manifest)[name]["httpGet"]
        path = f"http://{POD_IP}:{target['port']}{target['path']}"
        return self.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", path, ok=False).stdout

    def run(self, *words, env=(), ok=True, text=None):
        """A program of the application: in the pod's network, with the pod's resolv.conf."""
        script = f"""
            mount --make-rprivate /
            for file in resolv.conf nsswitch.conf; do
              mount --bind {self.folder}/$file "$(readlink -f /etc/$file)"
            done
            exec "$@"
        """
        command = ["nsenter", f"--net=/proc/{self.sandbox.holder.pid}/ns/net", "unshare", "--mount", "bash", "-c", script, "app",
                   "env", *env, *words]  # fmt: skip
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
        assert not ok or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def look_up(self, name):
        """IPv4 addresses that the C library finds, none where there are none."""
        return {line.split()[0] for line in self.run("getent", "ahostsv4", name, ok=False).stdout.splitlines()}
