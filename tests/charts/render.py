#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what of charts/isthmus is made from the rest of it: its README.md, and the plain manifests. Run it after a change there,
and look at the difference; test_render.py compares."""

import json
import pathlib
import re
import sys
import tempfile

import yaml

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / "integration")]
import charts  # noqa: E402

PLAIN = charts.CHART / "plain"
MADE = "# SPDX-License-Identifier: Apache-2.0\n#\n# Made by tests/charts/render.py from the chart.\n"
README = """\
<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Made by tests/charts/render.py: change values.yaml or that script. -->
# isthmus

The Helm chart of Isthmus. It installs no process: the agent runs in the pods of the applications. What it brings:

| what | where |
|---|---|
| the Istio injection template, as values for istiod | a ConfigMap; NOTES say the next step |
| a library chart for a chart of your own | `charts/isthmus-lib`, used in [an example](../../docs/examples/team-chart) |
| plain manifests and a Kustomize component | `plain/` |
| PodMonitor, PrometheusRule, Grafana dashboard, NetworkPolicy | off by default, below |

[docs/deploy.md](../../docs/deploy.md) leads from zero to a running pod.

## Annotations of a pod

On the pod template of an application, over the values below.

| annotation | values |
|---|---|
| `isthmus.dev/registry` | `eureka`, `nacos`, `none` |
| `isthmus.dev/dns` | `resolver`, `behind-istio`, `off` |
| `isthmus.dev/dns-fallback` | `"true"`, `"false"` |
| `isthmus.dev/config` | name of a ConfigMap with the key `isthmus.yaml` |

## Values

"""


def described(text, prefix=""):
    """(key, description) of each `# -- ` comment of a values file, in its order."""
    path, rows, told = [], [], None
    for line in text.splitlines():
        if found := re.match(r"\s*# -- (.*)", line):
            told = found[1]
        elif found := re.match(r"(\s*)([\w-]+):", line):
            del path[len(found[1]) // 2 :]
            path.append(found[2])
            if told:
                rows.append((prefix + ".".join(path), told))
                told = None
    return rows


def default(values, key):
    for part in key.split("."):
        values = values[part]
    return values


def table(folder, prefix=""):
    text = (folder / "values.yaml").read_text()
    values = yaml.safe_load(text)
    rows = [(key, default(values, key), told) for key, told in described(text)]
    cells = [(f"`{prefix}{key}`", f"`{json.dumps(value)}`", told.replace("|", "\\|")) for key, value, told in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def readme():
    head = "| value | default | meaning |\n|---|---|---|\n"
    return README + head + table(charts.LIBRARY, "isthmus.") + table(charts.CHART)


def deployment(helm):
    """The example's Deployment with everything in it, to be copied by hand."""
    with tempfile.TemporaryDirectory() as folder:
        made = charts.template(helm, chart=charts.Team(pathlib.Path(folder)).chart)
    return MADE + "# Yours to change: the namespace in searches (shop), the cluster DNS (10.96.0.10), the image.\n" + made


def component(helm):
    """The same for any Deployment, as a patch that Kustomize merges. The registry's URL is per container: not in it."""
    made = yaml.safe_load(deployment(helm).partition("---\n")[2])
    template = made["spec"]["template"]
    spec = template["spec"]
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "any"},
        "spec": {"template": {
            "metadata": {"labels": {"isthmus.dev/injected": "true"}},
            "spec": {
                **{key: spec[key] for key in ("dnsPolicy", "dnsConfig", "securityContext")},
                "initContainers": [
                    {**each, "env": [e for e in each["env"] if e["name"] != "ISTIO_META_WORKLOAD_NAME"]}
                    for each in spec["initContainers"] if each["name"] == "isthmus"
                ],
                "volumes": spec["volumes"],
            },
        }},
    }  # fmt: skip
    return MADE + "# Yours to change: the namespace in searches (shop), the cluster DNS (10.96.0.10).\n" + yaml.safe_dump(
        patch, sort_keys=False)  # fmt: skip


def istiod_values(helm):
    """What `isthmus inject template` has inside: the address of the cluster DNS is left to it."""
    made = charts.documents(charts.template(helm, args=("--show-only", "templates/istiod-values.yaml")))
    return MADE + made[0]["data"]["values.yaml"]


def everything(helm):
    """File -> its text."""
    return {
        charts.CHART / "README.md": readme(),
        PLAIN / "istiod-values.yaml": istiod_values(helm),
        PLAIN / "deployment.yaml": deployment(helm),
        PLAIN / "component/patch.yaml": component(helm),
    }


if __name__ == "__main__":
    for path, text in everything("helm4").items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(charts.harness.ROOT))
