# SPDX-License-Identifier: Apache-2.0
"""An application from before the mesh with nacos-sdk-python: it registers, lists and subscribes. What it knows is asked for on
its standard input, a command a line, each with a service and its group, "-" where it has none, and answered by a line of JSON.
Of each list that a subscription brings it writes a line: "event", the service and the list.

    nacos_application.py http|grpc HTTP-PORT GRPC-PORT FOLDER [NAMESPACE]
    nacos_application.py grpc decode LIST   says what it understands of the lists in files, the lines of LIST
"""

import asyncio
import json
import pathlib
import sys

METADATA = {"version": "v7", "zone": "z 1&2=3%"}
FIELDS = {"id": "instanceId", "ip": "ip", "port": "port", "weight": "weight", "healthy": "healthy", "enabled": "enabled",
          "cluster": "clusterName", "service": "serviceName", "metadata": "metadata"}  # fmt: skip
POLL_S = 0.5
NAMES = 1000  # of a list of services


def entry(instance):
    return {name: instance[field] for name, field in FIELDS.items()}


def say(word, value):
    sys.stdout.write(f"{word} {json.dumps(value)}\n")
    sys.stdout.flush()


class Http:
    """import nacos, which polls. It tells of changes one by one, upon which this asks for the list. It lists no services."""

    def __init__(self, http_port, _, folder, namespace=None):
        import nacos

        self.client = nacos.NacosClient(f"127.0.0.1:{http_port}", namespace=namespace, logDir=folder)

    async def list(self, service, group, healthy=False):
        found = self.client.list_naming_instance(service, group_name=group or None, healthy_only=healthy)
        return [entry(instance) for instance in found["hosts"]]

    async def select(self, service, group):
        return await self.list(service, group, True)

    async def subscribe(self, service, group):
        from nacos.listener import SubscribeListener

        def listener(_event, _changed):
            found = self.client.list_naming_instance(service, group_name=group or None)
            say(f"event {service}", [entry(instance) for instance in found["hosts"]])

        # Of the first list that it gets it tells all but the first instance.
        self.client.subscribe(SubscribeListener(listener, service), POLL_S, service, group_name=group or None)
        return "ok"

    async def unsubscribe(self, service, _):
        self.client.unsubscribe(service)
        return "ok"

    async def register(self, service, group, ip, port):
        added = self.client.add_naming_instance(
            service, ip, int(port), metadata=METADATA, heartbeat_interval=1, **self._grouped(group))
        return "ok" if added else "refused"

    async def deregister(self, service, group, ip, port):
        removed = self.client.remove_naming_instance(service, ip, int(port), **self._grouped(group))
        return "ok" if removed else "refused"

    async def beat(self, service, group, ip, port):
        """Its answer."""
        return self.client.send_heartbeat(service, ip, int(port), **self._grouped(group))

    async def get(self, service, _, ip, port):
        return self.client.get_naming_instance(service, ip, int(port))

    @staticmethod
    def _grouped(group):
        return {"group_name": group} if group else {}


class Grpc:
    """import v2.nacos."""

    @classmethod
    async def connected(cls, http_port, grpc_port, folder, namespace=""):
        from v2 import nacos

        self = cls()
        self.nacos = nacos
        options = nacos.GRPCConfig(port_offset=int(grpc_port) - int(http_port), grpc_timeout=5000)
        config = nacos.ClientConfigBuilder().server_address(f"127.0.0.1:{http_port}").namespace_id(namespace)
        config = config.log_dir(folder).cache_dir(folder).grpc_config(options).build()
        self.client = await nacos.NacosNamingService.create_naming_service(config)
        self.callbacks = {}
        return self

    async def list(self, service, group, healthy=None):
        wanted = self.nacos.ListInstanceParam(service_name=service, group_name=group, healthy_only=healthy)
        return [entry(instance.model_dump()) for instance in await self.client.list_instances(wanted)]

    async def select(self, service, group):
        return await self.list(service, group, True)

    async def services(self, _, group):
        found = await self.client.list_services(self.nacos.ListServiceParam(group_name=group, page_no=1, page_size=NAMES))
        return {"count": found.count, "names": found.services}

    async def subscribe(self, service, group):
        async def callback(instances):
            say(f"event {service}", [entry(instance.model_dump()) for instance in instances])

        self.callbacks[service] = self.nacos.SubscribeServiceParam(
            service_name=service, group_name=group, subscribe_callback=callback)
        await self.client.subscribe(self.callbacks[service])
        return "ok"

    async def unsubscribe(self, service, _):
        await self.client.unsubscribe(self.callbacks.pop(service))
        return "ok"

    async def register(self, service, group, ip, port):
        done = await self.client.register_instance(self.nacos.RegisterInstanceParam(
            service_name=service, group_name=group, ip=ip, port=int(port), metadata=METADATA))  # fmt: skip
        return "ok" if done else "refused"

    async def deregister(self, service, group, ip, port):
        done = await self.client.deregister_instance(self.nacos.DeregisterInstanceParam(
            service_name=service, group_name=group, ip=ip, port=int(port)))  # fmt: skip
        return "ok" if done else "refused"


async def answer(application, command, service, group, *words):
    try:
        return await getattr(application, command)(service, group.removeprefix("-"), *words)
    except Exception as error:  # whatever the client throws is its answer
        return {"error": f"{type(error).__name__}: {error}"}


def decode(file):
    """As the client reads what it is sent."""
    from v2.nacos.naming.model.service import Service

    try:
        return [entry(instance.model_dump()) for instance in Service(**json.loads(pathlib.Path(file).read_bytes())).hosts]
    except ValueError as error:
        return {"error": str(error)}


async def serve(kind, words):
    application = Http(*words) if kind == "http" else await Grpc.connected(*words)
    print("started", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        say("answer", await answer(application, *line.split()))


def main(kind, *words):
    if words[0] == "decode":
        for file in pathlib.Path(words[1]).read_text().splitlines():
            print(json.dumps(decode(file)))
    else:
        asyncio.run(serve(kind, words))


if __name__ == "__main__":
    main(*sys.argv[1:])
