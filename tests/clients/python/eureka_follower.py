# SPDX-License-Identifier: Apache-2.0
"""An application with py-eureka-client that follows the list, without a registration of its own. It reads lines: `list` makes
it say what it knows, `unknown` how many deltas had an application that it did not know. Those it cannot merge: it reads the
whole list then.

    eureka_follower.py SERVER-URL
"""

import asyncio
import sys

from py_eureka_client import eureka_client


def count_unknown(client):
    """One number in a list, which grows."""
    count, read = [0], eureka_client.get_delta

    async def get_delta(*words):
        delta = await read(*words)
        known = {app.name for app in client.applications.applications}
        count[0] += any(app.name not in known and any(each.actionType != "DELETED" for each in app.instances)
                        for app in delta.applications)  # fmt: skip
        return delta

    eureka_client.get_delta = get_delta
    return count


def known_lines(client):
    for app in client.applications.applications:
        for each in app.instances:
            yield f"{app.name}/{each.instanceId}/{each.status}/{each.vipAddress}"


async def main(server):
    client = eureka_client.EurekaClient(
        eureka_server=server, app_name="follower", instance_host="10.1.0.8", instance_ip="10.1.0.8", instance_port=7071,
        renewal_interval_in_secs=1, should_register=False,
    )  # fmt: skip
    unknown = count_unknown(client)
    await client.start()
    print("started", flush=True)
    for line in sys.stdin:
        words = sorted(known_lines(client)) if line.strip() == "list" else unknown
        print("answer", *words, flush=True)
    await client.stop()


asyncio.run(main(sys.argv[1]))
