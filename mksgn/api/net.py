"""A network: load it, run it, place it on a board, estimate its energy, write the report of a run."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, cast

import numpy as np

from mksgn.api.recordings import Recordings, chosen
from mksgn.api.result import Result
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.mapping import Board, Placement, place
from mksgn.mapping import board as find_board
from mksgn.netx import read_net
from mksgn.programs.nets import find_net
from mksgn.programs.outputs import check_writable, write_text
from mksgn.programs.run_tables import net_line
from mksgn.report import page
from mksgn.report.energy_estimate import EnergyEstimate, estimate
from mksgn.report.record import check_fits, find_models, make_record, net_section, run_section, shown_example
from mksgn.run.backend import StreamingBackend
from mksgn.run.execution import execute, part_size
from mksgn.run.registry import open_backend
from mksgn.run.time_modes import Time

BOARD = "kapoho-point"
Objective = Literal["cores", "time"]


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

    def run(self, x: Recordings | np.ndarray, backend: str = "emulator", record: bool = False, time: Time = "clip",
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
        time : 'clip' or 'stream'
            Whether the frames of a clip lie side by side, or come one after the other: with far fewer neurons, and with
            the same result (:mod:`mksgn.ir.streaming`).
        **options
            Of the backend, such as ``batch_size`` of the emulator or ``layout`` of Lava.

        Raises
        ------
        ConfigError
            When the backend or an option is unknown, or the net does not say how recordings become its input.
        DataError
            When ``x`` does not fit the net.
        GraphError
            When the net cannot be streamed; two populations that disagree are named.
        BackendError
            When the backend cannot run here, or fails.
        """
        stream = self.graph.time_steps is None
        selection = chosen(x, self.graph, self.path)
        with open_backend(backend, self.graph, time, **options) as opened:
            recorded = "spikes" if record or not opened.counts_alone else "none"
            began = perf_counter()
            if stream:
                ran = cast(StreamingBackend, opened).run_stream(np.asarray(x), recorded)
            elif record:
                ran = opened.run(selection.x, recorded)
            else:
                done = execute(opened, None, selection.x, recorded, part_size([opened], recorded))
                return Result(backend, selection, done.output, done.predictions, done.counts, seconds=done.seconds,
                              time=time)
        return Result(backend, selection, ran.output, ran.predictions, ran.counts, ran.spikes if record else {},
                      perf_counter() - began, time)

    def map(self, board: str = BOARD, result: Result | None = None, objective: Objective = "time",
            steps: int | None = None) -> Placement:
        """Place the network on the cores of a board.

        Parameters
        ----------
        board : str
            A name, such as 'kapoho-point', 'hala-point' or 'loihi-1', or a ``.toml`` file.
        result : Result, optional
            A run, whose messages decide how busy a core is. By default activity is taken as uniform.
        objective : 'time', 'cores' or 'lava'
            The least busy cores, the fewest, or those that Lava's compiler would take.
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
        """Events, energy and time of a sample: what ``mksgn energy`` prints.

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
        selection, example = result.selection, None
        if self.graph.time_steps is not None:
            with open_backend("emulator", self.graph) as emulator:
                example = shown_example(self.graph, selection, result.predictions,
                                        partial(emulator.run, record="spikes"))
        record = make_record(
            net_section(self.graph, self.path, selection.class_names, result.counts.steps),
            run_section(f"mksgn.load({str(self.path)!r}).run(..., backend={result.backend!r}, time={result.time!r})",
                        result.backend,
                        selection, result.predictions, result.seconds, datetime.datetime.now(datetime.timezone.utc)),
            self.graph, result.counts, placement, find_models(cost), selection, result.predictions, example)
        write_text(path, page(record))
        return path

    def _fitting(self, result: Result, board: Board, objective: Objective) -> Placement:
        activity = _activity(result)
        check_fits(self.graph, board, str(self.path), result.counts.steps)
        return place(self.graph, board, activity, objective=objective, steps=result.counts.steps)


def load(name: str | Path) -> Net:
    """The network in a ``.net`` file.

    Parameters
    ----------
    name : str or path
        The file; or a folder that holds an ``mksgn.net``; or a shipped network ('nw-ucla', 'nw-ucla-joint' or
        'nw-ucla-stream'), which comes with the package; or another bare name, such as ``mksgn.net``, which is looked
        for in ``runs`` (the newest) and ``models``, of this folder and of the project's checkout.

    Raises
    ------
    NetFileError
        When there is no such file, or it cannot be read.
    """
    path = find_net(Path(name), lambda line: None)
    return Net(path, read_net(path))


def _activity(result: Result) -> Mapping[str, np.ndarray]:
    """Messages of each neuron per sample."""
    if not result.counts.sent:
        raise ConfigError("the run does not say which neuron sent what", where=f"a run on {result.backend}",
                          fix="run with record=True, or on the emulator")
    return result.counts.activity()
