"""Which version of this project runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mksgn import __version__


def describe_commit() -> str:
    """Version and, inside a git checkout of this project, the commit (``-dirty`` when changed)."""
    folder = Path(__file__).resolve().parent.parent
    try:
        out = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=folder, capture_output=True,
                             text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        out = ""
    return f"mksgn {__version__}" + (f" ({out})" if out and (folder / ".git").exists() else "")
