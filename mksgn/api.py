"""The Python interface: load a network, read recordings, run, map, estimate energy, write the report.

    import mksgn

    net = mksgn.load("nw-ucla")                     # a .net file, or the name of a folder in runs/ or models/
    result = net.run(mksgn.read("nw_ucla.npz"))     # the test split, preprocessed as the net says
    print(result.accuracy, result.predicted[:5])
    print(net.energy(result))
    net.report("report.html", result)

What is here rests on the rooms below, which do the work: :mod:`mksgn.run`, :mod:`mksgn.mapping`, :mod:`mksgn.energy`
and :mod:`mksgn.report`. Everything that a user can do wrong raises a :class:`mksgn.errors.MksgnError`.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from mksgn.counts import Counts
from mksgn.data.pack import Pack
from mksgn.data.selection import Selection
from mksgn.data.sources import load as load_pack
from mksgn.errors import ConfigError, DataError
from mksgn.files import name_of
from mksgn.ir import Graph
from mksgn.mapping import Board, Placement, place
from mksgn.mapping import board as find_board
from mksgn.netx import read_net
from mksgn.programs.nets import find_net
from mksgn.programs.outputs import check_writable, write_text
from mksgn.programs.run_tables import net_line
from mksgn.programs.samples import Source, select
from mksgn.report import page
from mksgn.report.energy_estimate import EnergyEstimate, estimate
from mksgn.report.record import (
    check_fits,
    example_number,
    example_section,
    find_models,
    make_record,
    net_section,
    run_section,
)
from mksgn.run.backend import StreamingBackend
from mksgn.run.execution import execute, part_size
from mksgn.run.registry import open_backend

BOARD = "kapoho-point"
Split = Literal["train", "val", "test", "all"]
Objective = Literal["cores", "time"]


def load(name: str | Path) -> Net:
    """The network in a ``.net`` file.

    Parameters
    ----------
    name : str or path
        The file; or a folder that holds an ``mksgn.net``; or a bare name, such as ``mksgn.net`` or ``nw-ucla``, which
        is looked for in ``runs`` (the newest) and ``models``, of this folder and of the project's checkout.

    Raises
    ------
    NetFileError
        When there is no such file, or it cannot be read.
    """
    path = find_net(Path(name), lambda line: None)
    return Net(path, read_net(path))


def read(path: str | Path, split: Split | None = None, samples: int = 0,
         protocol: str | None = None) -> Recordings | np.ndarray:
    """Recordings for :meth:`Net.run`, not yet preprocessed: how is stored in the net.

    Parameters
    ----------
    path : str or path
        A pack or CTR-GCN ``.npz``, a NW-UCLA ``.json`` or NTU ``.skeleton`` file or a folder of them, or 'synthetic'.
        A ``.npy`` file is an array of integers, and comes back as it is.
    split : 'train', 'val', 'test' or 'all', optional
        By default 'all' for a single recording, else 'test'.
    samples : int
        Most samples, evenly spread over classes and split; 0: all.
    protocol : str, optional
        How the data is split. By default the net's own on its own data, else what the data's ids say.

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
    if Path(path).suffix == ".npy":
        if split is not None or samples or protocol is not None:
            raise ConfigError("an array has no splits", where=str(path), fix="leave split, samples and protocol out")
        return _array(Path(path))
    return Recordings(str(path), load_pack(str(path)), split, samples, protocol)


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


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Parameters
    ----------
    backend : str
    selection : Selection
        The samples that ran: their input, names and labels.
    output : int64 ndarray
        Readout (N, J): the sum of each class, v / 64 at the last step. Spiking output: (N, C, F, V, T).
    predictions : int64 ndarray (N,)
        Class with the largest output; of equals the one with the lower index.
    counts : Counts
        Events of the run, by sample, population and synapse.
    spikes : dict of population to int8 ndarray (N, C, F, V, T)
        Filled where the run recorded them.
    seconds : float
    """

    backend: str
    selection: Selection
    output: np.ndarray
    predictions: np.ndarray
    counts: Counts
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def class_names(self) -> tuple[str, ...]:
        """The net's classes; empty where it does not name them."""
        return self.selection.class_names

    @property
    def predicted(self) -> tuple[str, ...]:
        """Name of each sample's predicted class; its number where the net does not name its classes."""
        names = self.class_names
        return tuple(names[i] if i < len(names) else str(i) for i in self.predictions.tolist())

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled samples that are right; None without labels."""
        known = self.selection.labels >= 0
        return float((self.predictions == self.selection.labels)[known].mean()) if known.any() else None

    def __repr__(self) -> str:
        accuracy = "no labels" if self.accuracy is None else f"accuracy {self.accuracy:.2%}"
        return f"<mksgn.Result: {len(self.predictions):,} samples on {self.backend}, {accuracy}>"


@dataclass(frozen=True)
class Net:
    """A spiking network of integers; made by :func:`load`.

    Parameters
    ----------
    path : Path
        The file that it was read from.
    graph : Graph
        Populations, synapses, and in ``meta`` what the file says of data, classes and preprocessing.
    """

    path: Path
    graph: Graph

    @property
    def class_names(self) -> tuple[str, ...]:
        """The net's classes; empty where it does not name them."""
        return tuple(self.graph.meta.get("labels", ()))

    def __repr__(self) -> str:
        return f"<mksgn.Net {net_line(str(self.path), self.graph)}>"

    def run(self, x: Recordings | np.ndarray, backend: str = "emulator", record: bool = False,
            **options: Any) -> Result:
        """Run samples, each from rest.

        Parameters
        ----------
        x : Recordings or int ndarray
            Recordings are preprocessed as the net says. An array is the net's input: (N, C, F, V), sent at every
            step, or (N, C, F, V, T). A net without a number of steps of its own (a stock netx file) takes one stream,
            (C, F, V, steps).
        backend : 'emulator', 'lava' or 'loihi2'
            Where to run; the spikes are the same.
        record : bool
            Keep the spikes of every population: N T bytes per neuron.
        **options
            Of the backend, such as ``batch_size`` of the emulator or ``layout`` of Lava.

        Raises
        ------
        ConfigError
            When the backend or an option is unknown, or the net does not say how recordings become its input.
        DataError
            When ``x`` does not fit the net.
        BackendError
            When the backend cannot run here, or fails.
        """
        stream = self.graph.time_steps is None
        selection = self._select(x, stream)
        with open_backend(backend, self.graph, **options) as opened:
            recorded = "spikes" if record or not opened.counts_alone else "none"
            began = time.perf_counter()
            if stream:
                ran = cast(StreamingBackend, opened).run_stream(np.asarray(x), recorded)
            elif record:
                ran = opened.run(selection.x, recorded)
            else:
                size = part_size(self.graph, self.graph.time_steps or 1, recorded, 1)
                done = execute(opened, None, selection.x, recorded, size)
                return Result(backend, selection, done.output, done.predictions, done.counts, seconds=done.seconds)
        return Result(backend, selection, ran.output, ran.predictions, ran.counts, ran.spikes if record else {},
                      time.perf_counter() - began)

    def map(self, board: str = BOARD, result: Result | None = None, objective: Objective = "time",
            steps: int | None = None) -> Placement:
        """Place the network on the cores of a board.

        Parameters
        ----------
        board : str
            A name, such as 'kapoho-point', 'hala-point' or 'loihi-1', or a ``.toml`` file.
        result : Result, optional
            A run, whose messages decide how busy a core is. By default activity is taken as uniform.
        objective : 'time' or 'cores'
            The least busy cores, or the fewest.
        steps : int, optional
            Steps per sample, for a net without a number of its own.

        Returns
        -------
        Placement
            Its ``problems`` say what does not fit.

        Raises
        ------
        ConfigError
            When the board is unknown, or the result does not say which neuron sent what.
        """
        activity = None if result is None else _activity(result)
        return place(self.graph, find_board(board), activity, objective=objective, steps=steps)

    def energy(self, result: Result, board: str = BOARD, cost: Iterable[str] = (),
               objective: Objective = "time") -> EnergyEstimate:
        """Events, energy and time of a sample: what ``benchmarks/energy.py`` prints.

        Parameters
        ----------
        result : Result
            Of this net. On Lava, run it with ``record=True``.
        board, objective
            As for :meth:`map`.
        cost : iterable of str
            Cost models by name or file; by default all that come with the package.

        Raises
        ------
        ConfigError
            When the net does not fit on the board, or the result does not say which neuron sent what.
        """
        placement = self._fitting(result, find_board(board), objective)
        return estimate(self.graph, result.counts, placement, find_models(cost))

    def report(self, path: str | Path, result: Result, board: str = BOARD, cost: Iterable[str] = (),
               objective: Objective = "time") -> Path:
        """Write a run as one self-contained HTML page; return its path. Parameters as for :meth:`energy`.

        Raises
        ------
        ConfigError
            As :meth:`energy`, and when the file cannot be written.
        """
        path = Path(path)
        check_writable(path, "path")
        placement = self._fitting(result, find_board(board), objective)
        selection, number = result.selection, example_number(result.selection, result.predictions)
        example = None
        if self.graph.time_steps is not None:
            with open_backend("emulator", self.graph) as emulator:
                example = example_section(self.graph, selection, number,
                                          emulator.run(selection.x[number:number + 1], "spikes"))
        record = make_record(
            net_section(self.graph, self.path, selection.class_names, result.counts.steps),
            run_section(f"mksgn.load({str(self.path)!r}).run(..., backend={result.backend!r})", result.backend,
                        selection, result.predictions, result.seconds, datetime.datetime.now(datetime.timezone.utc)),
            self.graph, result.counts, placement, find_models(cost), selection, result.predictions, example)
        write_text(path, page(record))
        return path

    def _select(self, x: Recordings | np.ndarray, stream: bool) -> Selection:
        if isinstance(x, Recordings):
            own = name_of(x.data) == self.graph.meta.get("data")
            return select(self.graph, self.path, Source(x.data, own), x.protocol, x.split, x.samples, x.pack)
        x = np.asarray(x)
        shape = x.shape[:3] if stream else x.shape[1:4]
        if x.ndim not in ((4,) if stream else (4, 5)) or shape != tuple(self.graph.input.shape):
            raise DataError("the array does not fit the net", where="x", got=str(x.shape),
                            allowed=f"{tuple(self.graph.input.shape)} and steps" if stream else
                            f"samples, {tuple(self.graph.input.shape)}, and perhaps time steps")
        samples = np.moveaxis(x, -1, 0)[:1] if stream else x
        names = tuple(f"sample {number}" for number in range(len(samples)))
        return Selection(samples, np.full(len(samples), -1, np.int64), names, self.class_names, None, "array", "",
                         "all", len(samples), "an array has no labels")

    def _fitting(self, result: Result, board: Board, objective: Objective) -> Placement:
        activity = _activity(result)
        check_fits(self.graph, board, str(self.path))
        return place(self.graph, board, activity, objective=objective, steps=result.counts.steps)


def _activity(result: Result) -> Mapping[str, np.ndarray]:
    """Messages of each neuron per sample."""
    if not result.counts.sent:
        raise ConfigError("the run does not say which neuron sent what", where=f"a run on {result.backend}",
                          fix="run with record=True, or on the emulator")
    return result.counts.activity()


def _array(path: Path) -> np.ndarray:
    try:
        x: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError("the array cannot be read", where=str(path), got=str(error)[:200],
                        allowed="an array of integers saved by numpy.save (.npy)") from None
    return x
