# SPDX-License-Identifier: Apache-2.0
"""An application from before the mesh with py-eureka-client: it registers, then says how often it would call which instance.

    eureka_application.py SERVER-URL APP PICKS
"""

import asyncio
import collections
import json
import sys

from py_eureka_client import eureka_client


async def main(server, app, picks):
    client = eureka_client.EurekaClient(
        eureka_server=server, app_name="orders", instance_host="10.1.0.9", instance_ip="10.1.0.9", instance_port=7070,
        renewal_interval_in_secs=1, duration_in_secs=30
    )  # fmt: skip
    await client.start()
    counts = collections.Counter()
    for _ in range(picks):
        await client.walk_nodes(app, "/", walker=lambda url: counts.update([url]) or url)
    print(json.dumps(counts), flush=True)
    sys.stdin.readline()  # the test looks at the registration meanwhile
    await client.stop()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
