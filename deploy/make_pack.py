"""Convert a folder of recordings, or a CTR-GCN archive, into a pack: one .npz that every program reads at once.

    python deploy/make_pack.py --data nturgb+d_skeletons --out ntu60.npz --skip-untracked
    python deploy/make_pack.py --data all_sqe --out nw_ucla.npz

NTU's folders hold recordings in which nobody was tracked (302 in NTU 60, 535 in NTU 120), which its protocols leave
out. --skip-untracked finds them by their content; --leave-out takes a list of names, such as the published one.

Exit codes: 0; 2 for anything that can be mended, with one message.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Convert a folder of recordings into a pack; see the head of this file."""

    data: str
    """A folder of NW-UCLA .json or NTU .skeleton files, a single one, or a CTR-GCN .npz."""
    out: Path
    """The pack to write (.npz)."""
    skip_untracked: bool = False
    """Leave out the recordings of an NTU folder in which nobody was tracked."""
    leave_out: str | None = None
    """A text file that names recordings to leave out, one per line, such as NTU's own list."""
    overwrite: bool = False
    """Replace a file at --out."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from mksgn.data.pack import save_pack
from mksgn.data.sources import load
from mksgn.programs.outputs import check_writable


def main(options: Options) -> None:
    """Read, leave out, write."""
    console = Console(highlight=False, soft_wrap=True)
    check_writable(options.out, "--out")
    if options.out.suffix != ".npz":
        raise ConfigError("a pack's name ends in .npz", where="--out", got=options.out.name, allowed="NAME.npz")
    if options.out.exists() and not options.overwrite:
        raise ConfigError("there is a file of this name already", where="--out", got=str(options.out),
                          fix="replace it with --overwrite, or name another")
    pack = load(options.data, skip_untracked=options.skip_untracked, leave_out=options.leave_out,
                say=partial(console.print, markup=False))
    save_pack(pack, options.out)
    console.print(f"wrote {options.out}: {len(pack):,} sequences, {len(pack.data):,} frames, "
                  f"{len(pack.class_names)} classes, {options.out.stat().st_size / 1e6:.1f} MB", markup=False)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
