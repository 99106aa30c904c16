# SPDX-License-Identifier: Apache-2.0
"""Applications on Netflix's own client, of several versions, without Spring."""

import demos
import harness

PICKS = 10000
# Their XStream looks into packages that modules close.
CLOSED = ("base/java.lang", "base/java.lang.reflect", "base/java.text", "base/java.util", "desktop/java.awt",
          "desktop/java.awt.font")
OPENED = [f"--add-opens=java.{package}=ALL-UNNAMED" for package in CLOSED]
JVM = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *OPENED)
MAINS = {"eureka-client": "EurekaApplication", "eureka-client-1.7": "OldApplication", "eureka-client-2.0": "NewApplication"}


class Lines(harness.Process):
    """A program that says that it has started, then answers lines by lines."""

    def __init__(self, args):
        super().__init__(args)
        self.answered = 0

    def wait_started(self):
        self.wait_line(self.stdout, "^started$", demos.START_S)
        return self

    def ask(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()
        self.answered += 1

        def answers():
            found = [line for line in self.stdout if line.startswith("answer")]
            return found if len(found) >= self.answered else None

        return harness.wait_for(answers, f"an answer to {words} (log:\n{self.log()})")[self.answered - 1][len("answer ") :]

    def list(self):
        """Lines APP/ID/STATUS/VIPS."""
        return set(self.ask("list").split())


class Client(Lines):
    """A program of tests/clients/java, asked by lines. Many settings are those that shorten periods."""

    def __init__(self, program, url, name="orders", jvm=(), **properties):
        settings = {
            "eureka.serviceUrl.default": url, "eureka.region": "default", "eureka.shouldUseDns": "false",
            "eureka.client.refresh.interval": "1", "eureka.name": name, "eureka.vipAddress": name, "eureka.port": "7070",
            "eureka.lease.renewalInterval": "1", "eureka.appinfo.initial.replicate.time": "0",
            "eureka.appinfo.replicate.interval": "1", **properties,
        }  # fmt: skip
        words = [f"-D{name}={value}" for name, value in settings.items()]
        main = f"isthmus.eureka.{MAINS[program]}"
        super().__init__(["java", *JVM, *jvm, *words, "-cp", demos.class_path(program), main])

    def places(self, *words):
        """Address:port -> picks."""
        pairs = (pair.split("=") for pair in self.ask(*words, PICKS).strip("{}").split(", "))
        return {place: int(count) for place, count in pairs}

    def counts(self, *words):
        """Address -> picks."""
        return {place.split(":")[0]: count for place, count in self.places(*words).items()}

    def leave(self):
        """Ends its input, upon which it takes its leave."""
        self.child.stdin.close()
        return self.child.wait(30)
