# SPDX-License-Identifier: Apache-2.0
"""What the tests of charts/isthmus share: Helm 3 and 4, Istio's own injector, and the judge of what they make."""

import json
import os
import pathlib
import shutil
import subprocess

import yaml

import harness

CHART = harness.ROOT / "charts/isthmus"
LIBRARY = CHART / "charts/isthmus-lib"
TEAM = harness.ROOT / "docs/examples/team-chart"
HELMS = ("helm3", "helm4")
DNS = {"isthmus": {"dns": {"clusterAddress": "10.96.0.10"}}}


def tool(name):
    return str(harness.built("tests/charts/build.sh", "ISTHMUS_CHARTS_DIR") / name)


def run(*command, text="", ok=True, env=None):
    done = subprocess.run([str(each) for each in command], input=text, capture_output=True, text=True, check=False, timeout=120,
                          env={**os.environ, **(env or {})})  # fmt: skip
    assert not ok or done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
    return done


def merged(*values):
    """Values over values, as Helm does it."""
    result = {}
    for each in values:
        for key, value in (each or {}).items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def template(helm, values=None, chart=CHART, args=(), ok=True):
    """What `helm template` prints, or how it fails."""
    done = run(tool(helm), "template", "isthmus", chart, "-n", "shop", "-f", "-", *args, text=json.dumps(values or {}), ok=ok)
    return done.stdout if ok else done


def documents(text):
    return [each for each in yaml.safe_load_all(text) if each]


def refusal(helm, values, chart=CHART):
    done = template(helm, values, chart, ok=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def istiod_values(helm, settings=None):
    """The values for istiod that the chart makes."""
    made = documents(template(helm, merged(DNS, settings), args=("--show-only", "templates/istiod-values.yaml")))
    return made[0]["data"]["values.yaml"]


class Team:
    """The example of a team's chart, with the library chart as `helm dependency` brings it."""

    def __init__(self, folder):
        self.chart = harness.copy_tree(TEAM, folder / "team")
        text = (self.chart / "Chart.yaml").read_text()
        (self.chart / "Chart.yaml").write_text(text.replace("file://../../../", f"file://{harness.ROOT}/"))
        run(tool("helm3"), "dependency", "update", self.chart)

    def workload(self, body):
        """Another workload in place of the example's Deployment."""
        text = '{{- include "isthmus.workload" (list . (.Files.Get "workload.yaml")) }}\n'
        (self.chart / "templates/deployment.yaml").write_text(text)
        (self.chart / "workload.yaml").write_text(yaml.safe_dump(body))


class Injector:
    """Istio's own chart and injector with our template in it. `settings`: values of our chart; `istio`: values of istiod's."""

    def __init__(self, folder, helm="helm3", settings=None, istio=None, native=True):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.native = folder, native
        chart = pathlib.Path(harness.go_program("istiod-chart"))
        (folder / "isthmus.yaml").write_text(istiod_values(helm, settings))
        made = run(tool(helm), "template", "istiod", chart, "-n", "istio-system", "-f", folder / "isthmus.yaml", "-f", "-",
                   text=json.dumps(istio or {})).stdout  # fmt: skip
        maps = {each["metadata"]["name"]: each["data"] for each in documents(made) if each["kind"] == "ConfigMap"}
        (folder / "config").write_text(maps["istio-sidecar-injector"]["config"])
        (folder / "values").write_text(maps["istio-sidecar-injector"]["values"])
        (folder / "mesh").write_text(maps["istio"]["mesh"])

    def ask(self, *pods):
        """For each pod what the webhook says: {"allowed", "message", "pod"}."""
        questions = [{"namespace": pod["metadata"].get("namespace", "shop"), "pod": pod} for pod in pods]
        env = {"ENABLE_NATIVE_SIDECARS": str(self.native).lower()}
        done = run(harness.go_program("istioinject"), *(self.folder / name for name in ("config", "values", "mesh")),
                   text=json.dumps(questions), env=env)  # fmt: skip
        return json.loads(done.stdout)


def pod(templates="sidecar,isthmus", annotations=None, labels=None, name="orders-1", **spec):
    """A pod that asks for these injection templates."""
    notes = {"inject.istio.io/templates": templates} if templates else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"app": "orders", "sidecar.istio.io/inject": "true", **(labels or {})},
            "annotations": {**notes, **(annotations or {})},
        },
        "spec": {"containers": [{"name": "orders", "image": "registry.example/orders:1"}], **spec},
    }


def containers(made):
    """The names of a pod's init containers and containers, in their order."""
    spec = made["spec"]
    return [each["name"] for each in spec.get("initContainers", [])], [each["name"] for each in spec["containers"]]


def agent(made):
    """Isthmus in a pod, whichever kind of container it is."""
    spec = made["spec"]
    return next(each for each in [*spec.get("initContainers", []), *spec["containers"]] if each["name"] == "isthmus")


def env(container):
    return {each["name"]: each.get("value") for each in container.get("env", [])}


def judged(*made):
    """What an API server would say to each of these objects; YAML texts are taken as they are."""
    text = "\n---\n".join(each if isinstance(each, str) else yaml.safe_dump(each) for each in made)
    return [json.loads(line) for line in run(tool("podcheck"), text=text).stdout.splitlines()]


def copy_chart(folder):
    return shutil.copytree(CHART, folder / "isthmus")
