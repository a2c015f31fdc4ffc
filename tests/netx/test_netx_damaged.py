"""What is no .net file, or one no longer: other formats, special files, files cut short, flipped bytes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import mksgn
from mksgn.errors import NetFileError
from mksgn.netx import read_net


def test_missing_directory_and_special_files(tmp_path: Path) -> None:
    with pytest.raises(NetFileError, match="cannot be found"):
        read_net(tmp_path / "none.net")
    with pytest.raises(NetFileError, match="cannot be found"):
        read_net("a\0b.net")
    with pytest.raises(NetFileError, match="directory"):
        read_net(tmp_path)
    os.mkfifo(tmp_path / "pipe.net")
    with pytest.raises(NetFileError, match="special file"):
        read_net(tmp_path / "pipe.net")


class _Bomb:
    def __reduce__(self) -> tuple:
        return os.abort, ()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n", pickle.dumps(_Bomb()), b"PK\x03\x04" * 50],
                         ids=["empty", "text", "signature only", "pickle", "zip"])
def test_what_is_not_hdf5(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(content)
    with pytest.raises(NetFileError, match=r"not an HDF5 file|damaged"):
        read_net(path)


def test_every_truncation_is_an_error(net: Path) -> None:
    content = net.read_bytes()
    for size in range(0, len(content), len(content) // 60):
        net.write_bytes(content[:size])
        with pytest.raises(NetFileError, match=r"not an HDF5 file|damaged"):
            read_net(net)


@pytest.mark.timeout(300)
def test_flipped_bytes_never_leak_another_exception(net: Path) -> None:
    """Random damage gives an error of ours or a valid graph; in a child, should HDF5 itself crash."""
    program = """
        import sys
        import numpy as np
        from mksgn.errors import GraphError, NetFileError
        from mksgn.netx import read_net

        rng, content = np.random.default_rng(0), open(sys.argv[1], "rb").read()
        refused = 0
        for _ in range(150):
            damaged = bytearray(content)
            for place in rng.integers(0, len(content), rng.integers(1, 30)):
                damaged[place] = rng.integers(256)
            open(sys.argv[1], "wb").write(damaged)
            try:
                read_net(sys.argv[1])
            except (NetFileError, GraphError):
                refused += 1
        print(refused)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(mksgn.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(net)], capture_output=True, text=True,
                          env=environment, timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 40 < int(done.stdout) <= 150
