# SPDX-License-Identifier: Apache-2.0
"""An application from before the mesh with py-eureka-client: it registers and keeps the registry. What it knows is asked for on
its standard input, a command a line, each answered by a line of JSON.

    eureka_application.py SERVER-URL
"""

import asyncio
import collections
import json
import sys

from py_eureka_client import eureka_client

OWN = "10.1.0.9"


def entry(instance):
    port = instance.securePort if instance.securePort.enabled else instance.port
    return {
        "app": instance.app, "id": instance.instanceId, "host": instance.hostName, "ip": instance.ipAddr, "port": port.port,
        "secure": instance.securePort.enabled, "status": instance.status, "vip": instance.vipAddress,
        "metadata": instance.metadata,
    }  # fmt: skip


class Application:
    def __init__(self, server):
        self.client = eureka_client.EurekaClient(
            eureka_server=server, app_name="orders", instance_host=OWN, instance_ip=OWN, instance_port=7070,
            renewal_interval_in_secs=1, duration_in_secs=30, metadata={"version": "v7"},
        )  # fmt: skip

    async def pick(self, app, times):
        """How often it would call which instance."""
        counts = collections.Counter()
        for _ in range(int(times)):
            counts[(await self.client.walk_nodes(app, "", walker=lambda url: url))[len("http://") : -1]] += 1
        return counts

    async def call(self, app, times):
        """How often which echo server has answered."""
        answers = [await self.client.do_service(app, "/") for _ in range(int(times))]
        return collections.Counter(answers)

    async def app(self, name):
        return [entry(instance) for instance in self.client.applications.get_application(name).instances]

    async def all(self):
        return [entry(instance) for app in self.client.applications.applications for instance in app.instances]

    async def status(self, value):
        return await self.client.status_update(value) or "ok"

    async def clear(self):
        return await self.client.delete_status_override() or "ok"

    async def heartbeat(self):
        return await self.client.send_heartbeat() or "ok"

    async def stop(self):
        return await self.client.stop() or "ok"


async def main(server):
    application = Application(server)
    await application.client.start()
    print("started", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *words = line.split()
        print("answer", json.dumps(await getattr(application, command)(*words)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
