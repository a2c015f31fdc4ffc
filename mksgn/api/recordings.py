"""Recordings for a network: read, and made into its input."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mksgn.data.pack import Pack
from mksgn.data.readers.options import ReadOptions
from mksgn.data.selection import Selection
from mksgn.data.sources import load as load_pack
from mksgn.errors import ConfigError, DataError
from mksgn.files import name_of
from mksgn.ir import Graph
from mksgn.programs.samples import Source, select

Split = Literal["train", "val", "test", "all"]


@dataclass(frozen=True)
class Recordings:
    """Recordings of a data set, and which of them are to run; made by :func:`read`.

    Parameters
    ----------
    data : str
        Where they come from.
    pack : Pack
    split : str or None
    samples : int
    protocol : str or None
    """

    data: str
    pack: Pack
    split: Split | None = None
    samples: int = 0
    protocol: str | None = None

    def __repr__(self) -> str:
        return f"<mksgn.Recordings {self.data}: {len(self.pack):,} sequences, {len(self.pack.class_names)} classes>"


def read(path: str | Path, split: Split | None = None, samples: int = 0,
         protocol: str | None = None, options: ReadOptions | None = None) -> Recordings | np.ndarray:
    """Recordings for :meth:`Net.run`, not yet preprocessed: how is stored in the net.

    Parameters
    ----------
    path : str or path
        A file or folder of any format that :mod:`mksgn.data.readers.registry` knows, or 'synthetic'. Without
        ``options``, a ``.npy`` file is an array of integers, and comes back as it is.
    split : 'train', 'val', 'test' or 'all', optional
        By default 'all' for a single recording, else 'test'.
    samples : int
        Most samples, evenly spread over classes and split; 0: all.
    protocol : str, optional
        How the data is split. By default the net's own on its own data, else what the data's ids say.
    options : ReadOptions, optional
        What the recordings do not say themselves, such as their body.

    Raises
    ------
    DataError
        When the data cannot be read.
    ConfigError
        When an option has no effect on this data.
    """
    if samples < 0:
        raise ConfigError("the number of samples is negative", where="samples", got=str(samples),
                          allowed="0 for all, or more")
    if Path(path).suffix == ".npy" and options is None:
        if split is not None or samples or protocol is not None:
            raise ConfigError("an array has no splits", where=str(path), fix="leave split, samples and protocol out")
        return _array(Path(path))
    return Recordings(str(path), load_pack(str(path), options=options), split, samples, protocol)


def chosen(x: Recordings | np.ndarray, graph: Graph, net: Path) -> Selection:
    """The samples of ``x`` as the net takes them; ``net`` names it in errors.

    Raises
    ------
    ConfigError, DataError, NetFileError
        As :meth:`mksgn.api.Net.run`.
    """
    if isinstance(x, Recordings):
        own = name_of(x.data) == graph.meta.get("data")
        return select(graph, net, Source(x.data, own), x.protocol, x.split, x.samples, x.pack,
                      lambda line: warnings.warn(line, stacklevel=6))
    x, shape, stream = np.asarray(x), tuple(graph.input.shape), graph.time_steps is None
    if x.ndim not in ((4,) if stream else (4, 5)) or (x.shape[:3] if stream else x.shape[1:4]) != shape:
        raise DataError("the array does not fit the net", where="x", got=str(x.shape),
                        allowed=f"{shape} and steps" if stream else f"samples, {shape}, and perhaps time steps")
    samples = np.moveaxis(x, -1, 0)[:1] if stream else x
    names = tuple(f"sample {number}" for number in range(len(samples)))
    return Selection(samples, np.full(len(samples), -1, np.int64), names, tuple(graph.meta.get("labels", ())), None,
                     "array", "", "all", len(samples), "an array has no labels")


def _array(path: Path) -> np.ndarray:
    try:
        x: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError("the array cannot be read", where=str(path), got=str(error)[:200],
                        allowed="an array of integers saved by numpy.save (.npy)") from None
    return x
