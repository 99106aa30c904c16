# SPDX-License-Identifier: Apache-2.0
"""Clients that keep the door's list, as processes that can be asked what they know, and a model of what Netflix's client does
with it, which looks closer."""

import http.client
import json
import pathlib
import sys

import plain

JAVA = {"Accept": "application/json", "User-Agent": "Java-EurekaClient/v1.10.18"}
# What Netflix's client logs at debug level, without which its mismatches would be silent.
DELTA_LOG = ("-Dorg.slf4j.simpleLogger.log.com.netflix.discovery.DiscoveryClient=debug",)
MISMATCH = "The Reconcile hashcodes do not match"


class PythonFollower(plain.Lines):
    """py-eureka-client, which reads XML."""

    def __init__(self, url):
        script = pathlib.Path(__file__).parent / "python/eureka_follower.py"
        super().__init__([sys.executable, str(script), url])


def lines_of(applications):
    """Of an answer's `applications`, what a follower's list() says."""
    return {
        f"{app['name']}/{each['instanceId']}/{each['status']}/{each.get('vipAddress', 'null')}"
        for app in applications["application"] for each in app["instance"]
    }  # fmt: skip


class Model:
    """What Netflix's client does with the list and its deltas, one poll at a time: it counts mismatches and looks at versions."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.apps, self.version, self.deltas, self.mismatches = {}, -1, 0, 0
        self._take_whole(self._read("/eureka/apps/"))

    def _read(self, path):
        self.connection.request("GET", path, headers=JAVA)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status)
        found = json.loads(body)["applications"]
        assert int(found["versions__delta"]) >= self.version, "versions grow"
        self.version = int(found["versions__delta"])
        return found

    def _take_whole(self, found):
        self.apps = {app["name"]: {each["instanceId"]: each for each in app["instance"]} for app in found["application"]}

    def _merge(self, app):
        for each in app["instance"]:
            if each["actionType"] == "DELETED":
                self.apps.get(app["name"], {}).pop(each["instanceId"], None)
                if not self.apps.get(app["name"], True):
                    del self.apps[app["name"]]
                continue
            if app["name"] not in self.apps:  # it takes the application as it stands there, with what has gone
                self.apps[app["name"]] = {every["instanceId"]: every for every in app["instance"]}
            self.apps[app["name"]][each["instanceId"]] = each

    def hash_code(self):
        statuses = sorted(each["status"] for app in self.apps.values() for each in app.values())
        return "".join(f"{status}_{statuses.count(status)}_" for status in dict.fromkeys(statuses))

    def poll(self):
        found = self._read("/eureka/apps/delta")
        for app in found["application"]:
            self._merge(app)
        self.deltas += 1
        if self.hash_code() != found["apps__hashcode"]:
            self.mismatches += 1
            self._take_whole(self._read("/eureka/apps/"))

    def list(self):
        whole = {"application": [{"name": name, "instance": list(app.values())} for name, app in self.apps.items()]}
        return lines_of(whole)
