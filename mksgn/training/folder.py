"""The folder of a run: looked at before training, and left in a state that can be gone on with, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mksgn.errors import ConfigError, NetFileError
from mksgn.training.run_files import CHECKPOINT

KEPT = "*.safetensors"
"""What a training does not lose when it ends early: its checkpoint and networks."""


def check_folder(folder: Path, option: str = "--out") -> None:
    """Refuse a folder that cannot be made or written to, before anything is read or trained.

    Parameters
    ----------
    option : str
        The option that names it.

    Raises
    ------
    ConfigError
    """
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise ConfigError("this is a file, and a run needs a folder", where=option, got=str(there),
                          fix=f"name another folder with {option}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError("the folder cannot be written to", where=option, got=str(there),
                          fix=f"name another with {option}, or change its permissions")


@contextmanager
def run_folders(folders: Sequence[Path], resume: str, kept: str = KEPT) -> Iterator[None]:
    """What a run leaves in its folders when the block that writes them ends early.

    Folders that were not there before and hold nothing to keep are removed. When the disk is full the error says
    whether a checkpoint is whole, and Ctrl-C says how to go on.

    Parameters
    ----------
    folders : sequence of Path
        Of the run, one per stream.
    resume : str
        The command that continues a run with a checkpoint.
    kept : str
        Pattern of the files for which a folder is kept.

    Raises
    ------
    ConfigError
        When the system refuses a file.
    KeyboardInterrupt
        With a line on how to go on.
    """
    fresh = [each for folder in folders for each in (folder, *folder.absolute().parents) if not each.exists()]
    try:
        yield
    except BrokenPipeError:  # the reader of our output left
        raise
    except OSError as error:
        whole = _whole(folders)
        said = f"make room, then: {resume}" if whole else "make room, or name a folder on another disk with --out"
        raise ConfigError("the run could not be written" + ("; its last checkpoint is whole" if whole else ""),
                          where=str(error.filename or folders[0]), got=error.strerror or str(error),
                          fix=said) from None
    except NetFileError as error:
        if whole := _whole(folders):
            error.fix = f"{error.fix}; the checkpoint in {whole} is whole: {resume}"
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"go on with: {resume}" if _whole(folders) else
                                "no checkpoint was written yet: start it again") from None
    finally:
        for folder in fresh:
            if folder not in folders:
                with suppress(OSError):  # it holds something
                    folder.rmdir()
            elif folder.is_dir() and not list(folder.glob(kept)):
                shutil.rmtree(folder, ignore_errors=True)


def _whole(folders: Sequence[Path]) -> Path | None:
    return next((folder for folder in folders if (folder / CHECKPOINT).exists()), None)
