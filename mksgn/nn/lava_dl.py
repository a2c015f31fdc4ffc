"""lava-dl's SLAYER, imported without its notices about things nobody uses here.

On import lava-dl 0.6 prints that an object detection data set's tools are missing, and torch that it found no CUDA
compiler for extensions that are compiled only where SLAYER's own neurons run on a GPU. Anything else that is printed
passes, also where the import fails.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

NOTICES = ("Prophesee", "prophesee", "No CUDA runtime is found, using CUDA_HOME")

try:
    with redirect_stdout(io.StringIO()) as _out, redirect_stderr(io.StringIO()) as _err:
        from lava.lib.dl import slayer
finally:
    for _said, _stream in ((_out, sys.stdout), (_err, sys.stderr)):
        for _line in _said.getvalue().splitlines():
            if not any(notice in _line for notice in NOTICES):
                print(_line, file=_stream)

__all__ = ["slayer"]
