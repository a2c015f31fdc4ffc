"""Functions that numba compiles, kept for later runs wherever this machine has a place for them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache


class _Cache(FunctionCache):
    """numba's own cache, which also asks whether what this function uses of other modules changed.

    That are the modules whose functions it calls, and the constants of all these functions: numba compiles the values
    of constants in, wherever they come from. A full disk is no reason to stop: the function is compiled already.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        modules, constants = _used(function)
        files = sorted(str(sys.modules[module].__file__) for module in modules if module.startswith(__package__))
        self._used = *((file, os.stat(file).st_mtime_ns, os.stat(file).st_size) for file in files), *constants

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), self._used)

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with numba's cache where there is one, and without it elsewhere.

    numba keeps compiled functions in ``NUMBA_CACHE_DIR``, beside the source file, or in the user's cache folder. Where
    it may write to none of them (an installation that is read-only, and no home), ``cache=True`` raises. Here the
    function is compiled anew in every process instead, which takes seconds.

    Parameters
    ----------
    **options
        Those of ``numba.njit``, without ``cache``.
    """
    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if _has_place(Path(function.__code__.co_filename).parent):
            with contextlib.suppress(RuntimeError, OSError):  # numba: "no locator available"; a package in an archive
                dispatcher._cache = _Cache(function)
        return dispatcher

    return decorate


def _used(function: Callable[..., Any]) -> tuple[set[str], list[str]]:
    """Modules, and those of functions, that ``function`` names, and of those that these name, while they are compiled.

    And the numbers that all of them name, as ``module.name = value``, sorted.
    """
    modules, constants, asked, seen = set(), set(), [function], {function}
    while asked:
        here = asked.pop()
        for name in here.__code__.co_names:
            each = here.__globals__.get(name)
            if isinstance(each, int | float | np.generic):
                constants.add(f"{here.__module__}.{name} = {each!r}")
            modules.add(getattr(each, "__name__" if isinstance(each, ModuleType) else "__module__", None) or "")
            compiled_one = getattr(each, "py_func", None)
            if compiled_one is not None and compiled_one not in seen:
                seen.add(compiled_one)
                asked.append(compiled_one)
    return modules, sorted(constants)


def _has_place(folder: Path) -> bool:
    """False where numba would make a folder called ``~``: a user without a home, who cannot write to ``folder``."""
    if numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME"):  # type: ignore[attr-defined]
        return True
    return os.path.expanduser("~") != "~" or os.access(folder, os.W_OK)
