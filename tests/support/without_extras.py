"""Tests of an installation without the extras: what needs one is skipped, and says which."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import FrameType

import pytest

import mksgn
from mksgn.extras import present

TESTS = Path(__file__).resolve().parent.parent
PACKAGE = Path(mksgn.__file__).parent
EXTRAS = {**dict.fromkeys(("torch", "lightning_fabric", "safetensors", "tensorboard"), "torch"),
          **dict.fromkeys(("lava", "scipy", "snntorch", "nirtorch"), "lava (CPython 3.10)")}
ABSENT = {name for name in EXTRAS if not present(name)}
MAY = ("nn", "training", "teachers", "threads.py", "lava", "loihi", "emulator/dense", "programs/untrained.py")
"""Parts of the package that rest on an extra; any other that asks for one fails its test."""


class _Absent(MetaPathFinder):
    """Asked last, for modules that nobody else finds: skips the test, or the file of tests, that needs one."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        top = name.partition(".")[0]
        if top in ABSENT and _may_need(sys._getframe(1)):
            pytest.skip(f"needs {top}: extra {EXTRAS[top]}", allow_module_level=True)


def skip_without_extras() -> None:
    """From now on, a test is skipped that imports what an extra brings and is not installed."""
    sys.meta_path.append(_Absent())


def _may_need(frame: FrameType | None) -> bool:
    """Whether a test or a part of the package that rests on an extra is importing."""
    file = next((each for each in _files(frame) if "importlib" not in each), "")
    path = Path(file)
    if path.is_relative_to(TESTS) or path.is_relative_to(TESTS.parent / "benchmarks"):
        return True
    if path.is_relative_to(PACKAGE.parent / "lava_models"):
        return True
    return path.is_relative_to(PACKAGE) and path.relative_to(PACKAGE).as_posix().startswith(MAY)


def _files(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back
