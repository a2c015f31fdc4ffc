"""Lava's channels lose a wake-up; ours do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RACE = Path(__file__).parent.parent / "support" / "lava_race.py"
HOST = """
from lava.magma.compiler.channels.pypychannel import CspRecvPort
from mksgn.lava.host import import_lava
import_lava()
print(CspRecvPort._req_callback.__module__)
"""


def output(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.lava
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("port", "received"), [("stock", "1"), ("repaired", "1 2")])
def test_a_selector_is_woken_by_every_message(port, received):
    """The stock port is tested too: when it no longer loses the message, the repair can go."""
    assert output(str(RACE), port) == received


@pytest.mark.lava
@pytest.mark.timeout(300)
def test_the_host_of_lava_repairs_its_ports():
    """Every process of Lava is forked from the host once it has imported Lava."""
    assert output("-c", HOST) == "mksgn.lava.channels"
