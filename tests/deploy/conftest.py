"""What the tests of deploy/run_lava.py share: nets and data to run it on."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from programs import graph_for

from mksgn.data.pack import save_pack
from mksgn.data.synthetic import synthetic_pack
from mksgn.extras import SLAYER, present
from mksgn.netx import write_net


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nets")


@pytest.fixture(scope="module")
def net(folder: Path) -> Path:
    """A net for the synthetic skeletons."""
    write_net(graph_for(synthetic_pack(12), "synthetic"), folder / "syn.net")
    return folder / "syn.net"


@pytest.fixture(scope="module")
def pack_path(folder: Path) -> Path:
    """A small pack of synthetic skeletons whose test half holds copies of training sequences."""
    pack = synthetic_pack(180)
    assert pack.test is not None
    save_pack(replace(pack, test_dup_of_train=pack.test & (pack.ids["subject"] == 2)), folder / "small.npz")
    return folder / "small.npz"


@pytest.fixture(scope="module")
def stock() -> Path:
    """Stock netx files with golden outputs, from lava-dl's wheel."""
    if not present(SLAYER):
        pytest.skip("needs lava-dl: extra lava (CPython 3.10)")
    path = Path(str(importlib.metadata.distribution("lava-dl").locate_file("tests/lava/lib/dl/netx")))
    assert (path / "tiny.net").is_file()
    return path
