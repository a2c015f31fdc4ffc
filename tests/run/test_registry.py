"""Backends are opened by name, and only what a backend takes is handed to it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from written_graphs import block_graph

from mksgn.errors import BackendError, ConfigError, MissingExtraError
from mksgn.extras import LAVA_RUNTIME, present
from mksgn.run.registry import open_backend


def test_open_backend_refuses_what_has_no_effect():
    graph = block_graph()
    with pytest.raises(ConfigError, match="unknown backend"):
        open_backend("gpu", graph)
    with pytest.raises(ConfigError, match="no effect") as e:
        open_backend("emulator", graph, max_processes=3)
    assert "max_processes" in e.value.got
    assert open_backend("emulator", graph, batch_size=2).name == "emulator"


def test_a_backend_on_lava_opens_or_names_the_extra(monkeypatch):
    if present(LAVA_RUNTIME):
        assert open_backend("lava", block_graph(), timeout_s=5.0, batch_size=None).name == "lava"
    monkeypatch.setattr("mksgn.extras.present", lambda module: False)
    for name in ("lava", "loihi2"):
        with pytest.raises(MissingExtraError, match=r"pip install 'mksgn\[lava\]'") as caught:
            open_backend(name, block_graph())
        assert isinstance(caught.value, BackendError) and name in caught.value.what


@pytest.mark.skipif(not present(LAVA_RUNTIME), reason="needs Lava: extra lava (CPython 3.10)")
def test_importing_the_runtime_imports_no_lava():
    code = ("import sys, mksgn.run.registry, mksgn.lava.backend, mksgn.loihi\n"
            "print([m for m in sys.modules if m.split('.')[0] == 'lava' or m == 'torch'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
