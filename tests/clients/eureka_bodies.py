# SPDX-License-Identifier: Apache-2.0
"""Bodies of every kind that the Eureka door can send, in files, with what a decoder must understand of them: the text that
tests/clients/java/eureka-common's Reading makes of a message, made here by parsers that have nothing in common with it."""

import collections
import json
import urllib.parse
import xml.etree.ElementTree

import eureka_support
import harness
import objects

JSON, XML = {"Accept": "application/json"}, {"Accept": "application/xml"}
COMPACT = {"X-Eureka-Accept": "compact"}
ASKERS = {
    "vips": {**JSON, "User-Agent": "Java-EurekaClient/v1.10.18"},
    "ids": {**JSON, "X-Discovery-AllowRedirect": "false"},
    "plain": {**JSON, "User-Agent": "Steeltoe/4.2.0"},
    "xml": XML,
    "vips-compact": {**JSON, **COMPACT},
    "xml-compact": {**XML, **COMPACT},
}
CONFIG = {
    "contexts": eureka_support.CONTEXTS,
    "names": {"review-service": eureka_support.HOST, "Order_Service": eureka_support.HOST},
    "services": {"reviews.default": {"metadata": {"odd:key": "<a> & \"b\" 'c' \u00e9\u2028", "_$": "]]>", "1st": ""}}},
}
# Registered by the application itself, by its JSON; the last one has everything that may be absent.
OWN = {
    "instanceId": "10.1.0.9:orders:7070", "hostName": "orders.example", "app": "ORDERS", "ipAddr": "10.1.0.9",
    "status": "OUT_OF_SERVICE", "overriddenstatus": "UNKNOWN", "vipAddress": "orders,orders-2", "secureVipAddress": "orders",
    "port": {"$": 7070, "@enabled": "true"}, "securePort": {"$": 7443, "@enabled": "true"},
    "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
    "leaseInfo": {"renewalIntervalInSecs": 5, "durationInSecs": 3600},
    "homePageUrl": "http://orders.example:7070/?a=1&b=<2>",
    "secureHealthCheckUrl": "https://orders.example:7443/health",
    "metadata": {"zone": "z 1", "\u00fc<>&": "x\ty\nz", "empty": ""},
}  # fmt: skip

CENTER = {"name": "MyOwn"}  # what every registration must have
ODD = (
    {"hostName": "bare", "app": "bare", "ipAddr": "10.1.0.10", "dataCenterInfo": CENTER, "status": "DOWN", "port": 7070},
    {"instanceId": "\U0001f600<&>\"']]>\u0001", "hostName": "<h>&amp;", "app": "<A>& \u65e5\u672c", "ipAddr": "fe80::1%eth0",
     "dataCenterInfo": CENTER, "vipAddress": "gr\u00f6\u00dfe,${x}, <v>&", "status": "STARTING",
     "healthCheckUrl": "\u2028\ufffe\uffff",
     "metadata": {"\U0001f600": "\U0001f600", "\u0001": "\u0001\r\n\u0085", "a:b/c d": "<![CDATA[x]]>", "-1": "1e3",
                  "true": "nil",
                  "xml": "\\", "k" * 300: "v" * 3000}},
    {"instanceId": "up", "hostName": "fe80::1", "app": "UP", "ipAddr": "fe80::1", "dataCenterInfo": CENTER, "vipAddress": "",
     "metadata": {}, "homePageUrl": "", "securePort": {"$": 0, "@enabled": True}, "port": {"$": 65536, "@enabled": False}},
)  # fmt: skip

Body = collections.namedtuple("Body", "label root json path wanted")


def mesh():
    """Endpoints in both families, many and one; a TLS port, gRPC, a second port; a name that Java takes for no host."""
    many = [f"10.7.0.{i}" for i in range(1, 41)]
    tls = objects.service("secure", ip="10.96.0.4", ports=((443, 8443, "https"),))
    return [
        *eureka_support.mesh(eureka_support.SHARES),
        *objects.app("six", {"v1": ["2001:db8::1", "2001:db8::2"]}, ip="2001:db8:1::1"),
        *objects.app("many", {"v1": many}, ip="10.96.0.3"),
        tls, objects.endpoint_slice("secure", ["10.7.1.1"], ports=[(8443, "https")]),
        *objects.app("greeter", {"v1": ["10.7.2.1"]}, ip="10.96.0.5", ports=((50051, 50051, "grpc"),)),
        *objects.app("digits", {"v1": ["10.7.3.1"]}, namespace="2nd", ip="10.96.0.6"),
    ]


def changed():
    """Weights, an endpoint less and one more, a service less and one more."""
    other = dict(zip(eureka_support.ECHOES, (10, 20, 70)))
    return [
        *eureka_support.mesh(other),
        *objects.app("many", {"v1": ["10.7.0.1", "10.7.0.2", "10.7.9.9"]}, ip="10.96.0.3"),
        *objects.app("fresh", {"v1": ["10.7.4.1"]}, ip="10.96.0.7"),
    ]


# --- What a body says -----------------------------------------------------------------------------------------------


def one_line(text):
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def line(fields, app=None):
    """An instance, of which `fields` gives texts by name."""
    port, secure = (f"{fields(kind)}/{fields(kind + '.enabled')}" for kind in ("port", "securePort"))
    pairs = sorted(fields("metadata").items(), key=lambda pair: pair[0].encode("utf-16-be"))
    metadata = "{" + ", ".join(f"{key}={value}" for key, value in pairs) + "}"
    health = sorted(url for url in (fields("healthCheckUrl"), fields("secureHealthCheckUrl")) if url)
    words = [fields("app"), fields("instanceId"), fields("hostName"), fields("ipAddr"), port, secure, fields("status"),
             fields("overriddenstatus") or "UNKNOWN", *(fields(name) or "null" for name in (
                 "vipAddress", "secureVipAddress", "homePageUrl", "statusPageUrl")),
             f"[{', '.join(health)}]", fields("dataCenterInfo.name"), fields("actionType"), metadata]
    return "".join([f"{app}|" if app else "", one_line("|".join(words))])


def json_fields(instance):
    def fields(name):
        first, _, rest = name.partition(".")
        if first == "metadata":
            pairs = instance.get("metadata", {})
            return {key: value for key, value in pairs.items() if key != "@class"}
        if first in ("port", "securePort"):
            return str(instance[first]["@enabled" if rest else "$"])
        return instance[first][rest] if rest else instance.get(first)

    return fields


def unescaped(name):
    """The key of an element in XStream's escapes."""
    key, at = [], 0
    while at < len(name):
        if name.startswith("__", at) or name.startswith("_-", at):
            key.append("_" if name[at + 1] == "_" else "$")
            at += 2
        elif name.startswith("_.", at):
            key.append(chr(int(name[at + 2 : at + 6], 16)))
            at += 6
        else:
            key.append(name[at])
            at += 1
    return "".join(key)


def xml_fields(instance):
    def fields(name):
        first, _, rest = name.partition(".")
        if first == "metadata":
            return {unescaped(one.tag): one.text or "" for one in instance.iterfind("metadata/*")}
        if first in ("port", "securePort") and rest:
            return instance.find(first).get("enabled")
        return instance.findtext(name.replace(".", "/"))

    return fields


def instances(root, body, is_json):
    """The message, and (name of the application, fields) of each of its instances."""
    if is_json:
        message = json.loads(body)[root]
        apps = message["application"] if root == "applications" else [message]
        whole = [(app.get("name"), json_fields(one)) for app in apps for one in app.get("instance", [])]
        alone = json_fields(message)
    else:
        message = xml.etree.ElementTree.fromstring(body)
        assert message.tag == root
        apps = message.findall("application") if root == "applications" else [message]
        whole = [(app.findtext("name"), xml_fields(one)) for app in apps for one in app.iterfind("instance")]
        alone = xml_fields(message)
    return message, [(None, alone)] if root == "instance" else whole


def said(root, body, is_json):
    """What a decoder must make of it."""
    message, found = instances(root, body, is_json)
    first = ""
    if root == "applications":
        field = message.__getitem__ if is_json else message.findtext
        first = f"{field('versions__delta')}|{field('apps__hashcode')}"
    return [first, *sorted(line(fields, name) for name, fields in found)]


def read(text):
    """A line of Reading's results, to compare with what is said."""
    first, *lines = text.split("\t")
    return [first, *sorted(lines)]


# --- Bodies ---------------------------------------------------------------------------------------------------------


def quoted(text):
    """As a segment of a path."""
    return urllib.parse.quote(text, safe="")


class Collector:
    def __init__(self, folder, world):
        self.folder, self.world, self.bodies = folder, world, []

    def get(self, label, root, path, headers):
        answer = self.world.agent.http(f"/eureka/{path}", port="eureka", headers=headers)
        assert answer.status == 200, (label, path, answer.status)
        file = self.folder / f"{len(self.bodies)}.body"
        file.write_text(answer.body, newline="")
        is_json = "json" in headers["Accept"]
        self.bodies.append(Body(f"{label} {path}", root, is_json, file, said(root, answer.body, is_json)))
        return self.bodies[-1].wanted

    @staticmethod
    def _listed(lines):
        """Ids by application, as they stand in a path."""
        found = {}
        for app, _, ident, *_ in (each.split("|") for each in lines[1:]):
            found.setdefault(quoted(app), []).append(quoted(ident))
        return found

    def collect(self, step):
        """Everything that can be asked, in every layout, format and detail."""
        for asker, headers in ASKERS.items():
            label = f"{step} {asker}"
            listed = self._listed(self.get(label, "applications", "apps/", headers))
            self.get(label, "applications", "apps/delta", headers)
            for vip in ("reviews", "reviews--v3--p9090", "orders", "nobody"):
                self.get(label, "applications", f"vips/{vip}", headers)
                self.get(label, "applications", f"svips/{vip}", headers)
            for app, ids in listed.items():
                self.get(label, "application", f"apps/{app}", headers)
                for ident in ids[:3]:
                    self.get(label, "instance", f"apps/{app}/{ident}", headers)
                    self.get(label, "instance", f"instances/{ident}", headers)


class Bodies:
    """All of them, and the lists by which Reading finds the files."""

    def __init__(self, folder):
        world = eureka_support.Mesh(folder, mesh(), CONFIG)
        try:
            self.all = self._collect(folder, world)
        finally:
            world.stop()
        self.lists = {True: folder / "json.list", False: folder / "xml.list"}
        for is_json, file in self.lists.items():
            file.write_text("".join(f"{body.root} {body.path}\n" for body in self.all if body.json == is_json))

    @staticmethod
    def _collect(folder, world):
        """A mesh with an application in it, what has changed, nothing at all."""
        collector = Collector(folder, world)
        for own in (OWN, *ODD):
            path, body = f"/eureka/apps/{quoted(own['app'])}", json.dumps({"instance": own}).encode()
            assert world.agent.http(path, "POST", {"Content-Type": "application/json"}, "eureka", body).status == 204
        collector.collect("whole")
        for step, things in (("changed", changed()), ("empty", [])):
            version = world.ask("apps/").json()["applications"]["versions__delta"]
            world.put("mesh", *things)
            harness.wait_for(lambda v=version: world.ask("apps/").json()["applications"]["versions__delta"] != v, step)
            if not things:
                for own in (OWN, *ODD):
                    path = f"/eureka/apps/{quoted(own['app'])}/{quoted(own.get('instanceId', own['hostName']))}"
                    assert world.agent.http(path, "DELETE", port="eureka").status == 200
            collector.collect(step)
        return collector.bodies

    def differences(self, is_json, results):
        """What a decoder has understood otherwise than it is said, by the lines that Reading wrote: a few of them."""
        lines = results.read_text().split("\n")[:-1]  # splitlines would split at U+2028 too
        bodies = [body for body in self.all if body.json == is_json]
        assert len(lines) == len(bodies)
        return [(body.label, line, body.wanted) for body, line in zip(bodies, lines) if read(line) != body.wanted][:3]
