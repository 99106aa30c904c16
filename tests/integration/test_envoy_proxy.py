# SPDX-License-Identifier: Apache-2.0
"""The judges themselves: what does not start leaves no process behind."""

import pathlib
import types

import pytest

import envoy_proxy

pytestmark = pytest.mark.envoy


class Failed(Exception):
    pass


def fail(*_args, **_kwargs):
    raise Failed


@pytest.fixture
def unchanged_children():
    """Processes that have this one as their parent are the same afterwards."""

    def children():
        threads = pathlib.Path("/proc/self/task").glob("*/children")
        return {pid for thread in threads for pid in thread.read_text().split()}

    before = children()
    yield
    assert children() == before


@pytest.mark.usefixtures("unchanged_children")
def test_envoy_that_does_not_come_up_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(envoy_proxy.Envoy, "listeners", fail)
    with pytest.raises(Failed):
        envoy_proxy.Envoy(types.SimpleNamespace(plaintext="127.0.0.1:9"), tmp_path, (80,))


@pytest.mark.usefixtures("unchanged_children")
def test_envoy_that_refuses_its_configuration_is_told_with_its_log(tmp_path):
    with pytest.raises(RuntimeError, match="99999"):
        envoy_proxy.Envoy(types.SimpleNamespace(plaintext="127.0.0.1:99999"), tmp_path, (80,))


@pytest.mark.usefixtures("unchanged_children")
def test_echo_that_does_not_come_up_is_ended(monkeypatch):
    monkeypatch.setattr(envoy_proxy.Echo, "wait_line", fail)
    with pytest.raises(Failed):
        envoy_proxy.Echo()


@pytest.mark.usefixtures("unchanged_children")
def test_court_without_control_plane_ends_its_echo(tmp_path):
    with pytest.raises(Failed):
        envoy_proxy.Court(fail, fail, tmp_path, (80,))
