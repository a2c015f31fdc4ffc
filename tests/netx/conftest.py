"""What the tests of .net files share."""

from __future__ import annotations

from pathlib import Path

import pytest
from written_graphs import layered_graph

from mksgn.netx import write_net


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A file of ours with one layer of every kind."""
    path = tmp_path / "a.net"
    write_net(layered_graph(), path)
    return path
