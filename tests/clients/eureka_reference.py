# SPDX-License-Identifier: Apache-2.0
"""Netflix's own registry as a process, and what the servers of a mesh would tell it."""

import json
import urllib.error
import urllib.parse
import urllib.request

import demos
import harness


def instance(app, address, port=8080, vip=None, status="UP"):
    """A registration as a client writes it."""
    return {
        "instanceId": f"{address}:{app.lower()}:{port}", "hostName": address, "app": app, "ipAddr": address, "status": status,
        "vipAddress": vip or app.lower(), "secureVipAddress": vip or app.lower(), "overriddenstatus": "UNKNOWN",
        "port": {"$": port, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"}, "countryId": 1,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90}, "metadata": {"version": "v1"},
        "lastDirtyTimestamp": "1000", "lastUpdatedTimestamp": "1000", "actionType": "ADDED",
    }  # fmt: skip


class Registry:
    """Whatever answers Netflix's protocol at this base, such as http://127.0.0.1:8761/eureka."""

    def __init__(self, base):
        self.base = base

    def ask(self, method, path, body=None, accept="application/json"):
        """Status and body."""
        headers = {"Accept": accept, "Content-Type": "application/json", "User-Agent": "Java-EurekaClient/v1.10.18"}
        request = urllib.request.Request(f"{self.base}{path}", body and body.encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get(self, path):
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def register(self, entry):
        assert self.ask("POST", f"/apps/{entry['app']}", json.dumps({"instance": entry}))[0] == 204

    def cancel(self, entry):
        assert self.ask("DELETE", self.path(entry))[0] == 200

    def set_status(self, entry, status):
        """As operators take an instance out of service."""
        assert self.ask("PUT", f"{self.path(entry)}/status?value={status}")[0] == 200

    @staticmethod
    def path(entry):
        return f"/apps/{entry['app']}/{urllib.parse.quote(entry['instanceId'], safe='')}"


class ReferenceServer(harness.Process):
    """Netflix's eureka-core 1.10.18 in Tomcat; `settings` are its own properties, without their prefix."""

    def __init__(self, jvm=demos.JVM, **settings):
        words = [f"-Deureka.{name}={value}" for name, value in settings.items()]
        super().__init__(["java", *jvm, *words, "-jar", str(demos.jars() / "eureka-server.jar")])
        url = self.wait_line(self.stdout, r"^listening (http://127\.0\.0\.1:\d+/eureka)/$", demos.START_S)[1]
        self.port = urllib.parse.urlsplit(url).port
        self.registry = Registry(url)
