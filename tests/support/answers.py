"""Programs and commands asked for --help and given a wrong option, all in one process: what they answer and load.

    python tests/support/answers.py deploy/run_lava.py train/train_slayer.py     # programs, from the repository's root
    python tests/support/answers.py mksgn:run mksgn:map                          # commands

Prints one line of JSON, an :class:`Answer` for each program and option. It is a process of its own, because the tests'
own process has loaded much.
"""

from __future__ import annotations

import io
import json
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

OPTIONS = ("--help", "--no-such-option")
SLOW = ("torch", "lava", "numba", "scipy", "h5py", "lightning_fabric")
"""What takes seconds to load, or hundreds of milliseconds."""
ROOT = Path(__file__).resolve().parent.parent.parent


class Answer(NamedTuple):
    """Exit code, what was printed, and what of :data:`SLOW` this program was the first to load."""

    code: int
    out: str
    err: str
    slow: list[str]


def answers_of(*programs: str) -> dict[tuple[str, str], Answer]:
    """The answers of ``programs`` to each of :data:`OPTIONS`."""
    done = subprocess.run([sys.executable, __file__, *programs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {(program, option): Answer(*answer) for program, option, answer in json.loads(done.stdout)}


def answer(program: str, option: str) -> Answer:
    """Run one here."""
    before, path, out, err = loaded(), list(sys.path), io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            if program.startswith("mksgn:"):
                from mksgn.commands.dispatch import main

                sys.argv = ["mksgn", program.removeprefix("mksgn:"), option]
                code = main()
            else:
                sys.argv = [program, option]
                sys.path.insert(0, str((ROOT / program).parent))  # as Python does for a program
                runpy.run_path(str(ROOT / program), run_name="__main__")
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        finally:
            sys.path[:] = path
    return Answer(code, out.getvalue(), err.getvalue(), sorted(loaded() - before))


def loaded() -> set[str]:
    """What of :data:`SLOW` is loaded."""
    return {name for name in SLOW if name in sys.modules}


if __name__ == "__main__":
    print(json.dumps([(program, option, answer(program, option)) for program in sys.argv[1:] for option in OPTIONS]))
