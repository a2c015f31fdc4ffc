"""What computed a result: versions of what is installed here, and the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from contextlib import suppress
from typing import Any

from mksgn import __version__, processor

_PACKAGES = ("lava-nc", "lava-dl", "torch", "numpy")


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of what it rests on, as far as it is installed; the platform."""
    found = {"mksgn": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def hardware() -> dict[str, Any]:
    """The machine: its processor, with the instructions that matter, and cores."""
    return {"cpu": processor.describe(), "cpu_count": os.cpu_count()}
