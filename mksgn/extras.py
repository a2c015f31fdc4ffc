"""Libraries that not every installation has: which extra brings them, and what to say where one is missing."""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

from mksgn.errors import MissingExtraError

TORCH, LAVA = "torch", "lava"
LAVA_RUNTIME, SLAYER = "lava.magma", "lava.lib.dl.slayer"
EXTRAS = {"torch": TORCH, "lightning_fabric": TORCH, "safetensors": TORCH, "tensorboard": TORCH, LAVA_RUNTIME: LAVA,
          SLAYER: LAVA}
"""Which extra of this package brings a module."""
LAVA_PYTHON = (3, 10)
"""The one CPython that Lava, which is archived, and its torch run on."""


def present(module: str) -> bool:
    """Whether a module can be found; nothing is imported."""
    top, *parts = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module without a specification, or None: somebody forbids it
        return False
    if spec is None or not parts:
        return spec is not None
    places = [Path(folder, *parts) for folder in spec.submodule_search_locations or ()]
    return any(place.is_dir() or place.with_suffix(".py").is_file() for place in places)


def require(*modules: str, what: str) -> None:
    """Refuse to go on without some modules.

    Parameters
    ----------
    *modules : str
        Keys of :data:`EXTRAS`.
    what : str
        What needs them, such as 'training'.

    Raises
    ------
    MissingExtraError
        Naming the first that is missing, the extra that brings it, and how to install that.
    """
    for module in modules:
        if present(module):
            continue
        extra, allowed = EXTRAS[module], ""
        fix = f"pip install 'mksgn[{extra}]'"
        if extra == LAVA and sys.version_info[:2] != LAVA_PYTHON:
            allowed = "CPython 3.10: Lava is archived and runs on no other, so the extra is empty here"
            fix = f"make an environment with CPython 3.10, and there: {fix}"
        raise MissingExtraError(f"{what} needs {module}, which is not installed", where=f"extra [{extra}]",
                                got=f"CPython {platform.python_version()}", allowed=allowed, fix=fix)
