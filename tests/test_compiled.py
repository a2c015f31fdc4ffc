"""What numba compiled is used again only while everything that was compiled into it is as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILES = {
    "constants.py": "STEP = 1\n",
    "inner.py": "from mksgn.compiled import compiled\nfrom constants import STEP\n\n\n@compiled()\ndef inner(x):\n"
                "    return x + STEP\n",
    "outer.py": "from mksgn.compiled import compiled\nfrom inner import inner\n\n\n@compiled()\ndef outer(x):\n"
                "    return 10 * inner(x)\n"}


@pytest.mark.timeout(300)
def test_a_constant_of_another_module_is_compiled_in_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout in which only the file of a constant changed: neither function's own file did."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    def answer() -> tuple[int, int]:
        """What ``outer(1)`` gives in a new process, and how often it came from the cache."""
        code = "from outer import outer; print(outer(1), sum(outer.stats.cache_hits.values()))"
        printed = subprocess.check_output([sys.executable, "-B", "-c", code], cwd=tmp_path, text=True)
        given, hits = printed.split()
        return int(given), int(hits)

    assert answer() == (20, 0)
    assert answer() == (20, 1)
    (tmp_path / "constants.py").write_text("STEP = 2\n")
    assert answer() == (30, 0)
    assert answer() == (30, 1)
