# SPDX-License-Identifier: Apache-2.0
"""The chart without a cluster: rendered by both Helms, merged by Istio's own injector, judged by Kubernetes' own code."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
import charts  # noqa: E402


@pytest.fixture(params=charts.HELMS)
def helm(request):
    return request.param


@pytest.fixture(scope="session")
def injector(tmp_path_factory):
    """Istio's injector with the default settings of the chart, native sidecars on."""
    return charts.Injector(tmp_path_factory.mktemp("istio"))


@pytest.fixture
def team(tmp_path):
    return charts.Team(tmp_path)
