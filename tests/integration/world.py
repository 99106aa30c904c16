# SPDX-License-Identifier: Apache-2.0
"""One mesh, seen twice: streamed by the real istiod, and read from a directory with the same objects."""

import json

import harness

SOURCES = ("istiod", "files")


class World:
    """A control plane and a directory that hold the same objects, and agents of both. Each object has a file of its own."""

    def __init__(self, directory, *things, env=None):
        self.directory = directory
        self.agents = {}
        self.write(*things)
        self.control_plane = harness.Istiod("--dir", str(directory), env=env)

    def path(self, kind, namespace, name):
        return self.directory / f"{kind}-{namespace}-{name}.json".lower()

    def write(self, *things):
        for thing in things:
            meta = thing["metadata"]
            path = self.path(thing["kind"], meta.get("namespace", ""), meta["name"])
            hidden = path.with_name(f".{path.name}")
            hidden.write_text(json.dumps(thing))
            hidden.rename(path)

    def apply(self, *things):
        self.write(*things)
        self.control_plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": things}))

    def delete(self, kind, name, namespace="default"):
        self.path(kind, namespace, name).unlink()
        self.control_plane.delete(kind, namespace, name)

    def agent(self, source, *flags, **kwargs):
        """The agent of this source with these flags; started on first use."""
        key = (source, *flags)
        if key not in self.agents:
            xds = ("--source", "istiod", "--xds-address", self.control_plane.plaintext, "--xds-tls", "off")
            where = xds if source == "istiod" else ("--source", f"dir:{self.directory}")
            who = ("--pod-name", "client", "--pod-namespace", "default", "--pod-ip", "10.9.0.1")
            self.agents[key] = harness.Agent(*where, *who, *flags, **kwargs)
        return self.agents[key]

    def both(self, *flags, **kwargs):
        return [self.agent(source, *flags, **kwargs) for source in SOURCES]

    def stop(self):
        codes = [(agent.stop(), agent.log()) for agent in self.agents.values()]
        self.control_plane.stop()
        for code, log in codes:
            assert code == 0, f"the agent ended with {code}:\n{log}"
