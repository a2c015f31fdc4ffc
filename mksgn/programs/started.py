"""A command of the package and the program of a checkout that does the same: how texts name them.

``mksgn run`` comes with the package, and ``python deploy/run_lava.py`` with a checkout. Both are one module of
:mod:`mksgn.commands`. Texts name the commands, and :func:`told` puts the programs in their place for who started one.
"""

from __future__ import annotations

import re

PACKAGE = "mksgn"
PROGRAMS = {"run": "deploy/run_lava.py", "map": "deploy/map_loihi.py", "energy": "benchmarks/energy.py",
            "convert": "deploy/convert_nir.py", "data convert": "deploy/make_pack.py", "stream": "deploy/stream.py",
            "train": "train/train_slayer.py"}
"""Commands that a checkout has a program for."""
_NAMED = re.compile(rf"(?P<start>(?m:^)\s*)?(?P<module>-m )?\b{PACKAGE} (?P<name>{'|'.join(PROGRAMS)})\b")


def told(text: str, command: str) -> str:
    """``text``, which names commands, for a user who started ``command``.

    Parameters
    ----------
    text : str
    command : str
        What was typed before the options: ``mksgn run``, or ``python deploy/run_lava.py``.
    """
    if command.split()[0] == PACKAGE:
        return text

    def program(found: re.Match[str]) -> str:
        path = PROGRAMS[found["name"]]
        return path if found["start"] is None or found["module"] else f"{found['start']}python {path}"

    return _NAMED.sub(program, text)
