"""Networks and golden arrays that lava-dl's wheel carries: its authors recorded them."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from mksgn.extras import SLAYER, present


def wheel_file(name: str) -> Path:
    """A file of lava-dl's own netx tests, such as ``tiny.net``; the test is skipped where the wheel lacks it."""
    if not present(SLAYER):
        pytest.skip("needs lava-dl: extra lava (CPython 3.10)")
    for file in importlib.metadata.files("lava-dl") or ():
        if file.as_posix().endswith(f"lib/dl/netx/{name}"):
            return Path(str(file.locate()))
    pytest.skip(f"this lava-dl carries no {name}")
