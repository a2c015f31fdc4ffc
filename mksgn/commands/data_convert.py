"""Convert recordings into a pack that every command reads at once.

    mksgn data convert --data clips --out clips.npz
    mksgn data convert --data clips --out clips.pack               # a folder that is mapped: for sets beyond memory
    mksgn data convert --data nturgb+d_skeletons --out ntu60.npz --skip-untracked
    mksgn data convert --data clips --out clips.npz --index clips.csv --skip-bad

Memory holds one recording at a time, whatever the size of the set. The pack appears whole or not at all.

A folder's folders name classes (clips/wave/a.json); an index (--index) tells classes, subjects, views and splits of
each recording. NTU's folders hold recordings in which nobody was tracked, which its protocols leave out:
--skip-untracked finds them by their content; --leave-out takes a list of names, such as the published one.

Exit codes: 0; 2 for anything that can be mended, with one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import tyro
from rich.console import Console

from mksgn.errors import ConfigError
from mksgn.programs.console import count_progress, exit_on_error, print_prose
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_folder_of, check_writable
from mksgn.programs.reading import DATA_HELP, READ_AS_IT_IS, Reading


def main(arguments: Sequence[str] | None = None, command: str = "mksgn data convert") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        return convert(parse(Options, __doc__, arguments, command))


@dataclass(frozen=True)
class Options:
    """Convert recordings into a pack."""

    GROUPS: ClassVar[dict[str, str]] = {"reading": "format"}

    data: Annotated[str, tyro.conf.arg(help=DATA_HELP)]
    out: Path
    """The pack to write: NAME.npz, or NAME.pack, a folder that is mapped into memory."""
    persons: int = 2
    """Most persons kept of a recording of pose estimates: those who are seen best and longest."""
    overwrite: bool = False
    """Replace a pack at --out."""
    reading: Reading = READ_AS_IT_IS

    def validate(self) -> None:
        """Refuse what cannot work, before anything is read."""
        from mksgn.data.pack import FOLDER_SUFFIX

        if self.out.suffix not in (".npz", FOLDER_SUFFIX):
            raise ConfigError("a pack's name ends in .npz or .pack", where="--out", got=self.out.name,
                              allowed="NAME.npz, NAME.pack")
        if self.out.suffix == ".npz":
            check_writable(self.out, "--out")
        else:
            check_folder_of(self.out, "--out")
        if self.out.exists() and not self.overwrite:
            raise ConfigError("there is a pack of this name already", where="--out", got=str(self.out),
                              fix="replace it with --overwrite, or name another")
        if self.out.is_dir() and not (self.out / "data.npy").exists():
            raise ConfigError("this folder is no pack, and is not replaced", where="--out", got=str(self.out),
                              fix="name another")


def convert(options: Options) -> int:
    """Recognise, read, leave out, write."""
    from mksgn.data.pack import save_pack
    from mksgn.data.readers.registry import find
    from mksgn.data.sources import SYNTHETIC, load
    from mksgn.data.sources import convert as convert_data

    options.validate()
    console = Console(highlight=False)
    asked = options.reading.options(options.persons, partial(print_prose, console))
    if options.data == SYNTHETIC:
        pack = load(SYNTHETIC)
        save_pack(pack, options.out)
    else:
        reader = find(Path(options.data), asked.format)
        print_prose(console, f"{options.data}: {reader.name}, {reader.title}")
        with count_progress(console, "sequences") as progress:
            pack = convert_data(options.data, options.out, asked, skip_untracked=options.reading.skip_untracked,
                                leave_out=options.reading.leave_out, progress=progress)
    print_prose(console, f"wrote {options.out}: {len(pack):,} sequences, {len(pack.data):,} frames, "
                f"{len(pack.class_names)} classes, {size_of(options.out) / 1e6:.1f} MB")
    return 0


def size_of(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    files = path.iterdir() if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files)
