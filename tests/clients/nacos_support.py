# SPDX-License-Identifier: Apache-2.0
"""The stage of the Nacos clients: the mesh, the echo servers and the shares of the Eureka clients, before the Nacos door. These
tests have a network of their own, so that the door is where clients look that are told nothing."""

import urllib.parse

import eureka_support

HTTP, GRPC = 8848, 9848  # to which clients add 1,000
SERVER = f"127.0.0.1:{HTTP}"
GROUP = "DEFAULT_GROUP"


class Mesh(eureka_support.Mesh):
    """A directory that the agent follows, and the agent with its Nacos door."""

    DOOR, PATH, LISTEN = "nacos", "/nacos/", SERVER

    def __init__(self, folder, things=None, config=None, options=()):
        super().__init__(folder, things, config, ("--nacos-grpc-listen", f"127.0.0.1:{GRPC}", *options))

    def ask(self, path, **query):
        """What the door answers over HTTP."""
        return self.agent.http(f"/nacos/{path}?{urllib.parse.urlencode(query)}", port="nacos")

    def hosts(self, service, **query):
        """Of a service, as the HTTP API lists them."""
        answer = self.ask("v1/ns/instance/list", serviceName=service, **query)
        assert answer.status == 200, answer.body
        return answer.json()["hosts"]


class Stage(eureka_support.Echoes):
    MESH = Mesh
