"""deploy/convert_nir.py from its command line: both directions, another tool's file, and what can be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
from programs import Program
from written_graphs import block_graph, branched_graph, layered_graph

from mksgn.ir import Graph, graph_difference
from mksgn.ir.streaming import streamed
from mksgn.netx import read_net, write_net

PROGRAM = Path(__file__).resolve().parent.parent.parent / "deploy" / "convert_nir.py"


@pytest.fixture
def program(program: Program) -> Program:
    """The program, in a folder that holds a network of ours."""
    write_net(branched_graph(), "a.net")
    return program


def test_there_and_back(program: Program) -> None:
    there = program("--net", "a.net", "--out", "a.nir")
    assert there.code == 0 and "Conv2d" in there.out and "the same network" in there.out, there
    assert nir.read("a.nir").nodes["input"].input_type["input"].tolist() == [2, 4, 3]
    back = program("--net", "a.nir", "--out", "b.net")
    assert back.code == 0 and "5 populations" in back.out and "T = 4" in back.out, back
    assert graph_difference(branched_graph(), read_net("b.net")) == ""


def test_a_streamed_graph_is_written_to_net_and_refused_for_nir(program: Program) -> None:
    write_net(layered_graph(), "delayed.net")
    refused = program("--net", "delayed.net", "--out", "s.net", "--time", "stream")
    assert refused.code == 2 and "population 'c'" in refused.err and not Path("s.net").exists()
    graph = block_graph()
    even = replace(graph["partner"], bias=np.arange(8))
    graph = Graph(tuple(even if p.name == "partner" else p for p in graph.populations), graph.synapses, 2)
    write_net(graph, "clip.net")
    assert program("--net", "clip.net", "--out", "clip.nir").code == 0
    for source in ("clip.net", "clip.nir"):
        done = program("--net", source, "--out", "s.net", "--time", "stream")
        assert done.code == 0 and "the same network" in done.out, done
        assert graph_difference(streamed(graph), read_net("s.net")) == ""
    refused = program("--net", "s.net", "--out", "s.nir")
    assert refused.code == 2 and "no neuron that rests" in refused.err and "population 'in'" in refused.err
    again = program("--net", "s.net", "--out", "t.net", "--time", "stream")
    assert again.code == 2 and "streamed already" in again.err and not list(Path().glob("[st].nir"))


def test_another_tools_file_and_its_dt(program: Program) -> None:
    tau = np.full(2, 2e-3)
    graph = nir.NIRGraph.from_list(nir.Linear(np.array([[0.5, 0.25, 1.0], [1.0, 0.0, -1.5]])),
                                   nir.LIF(tau, tau / 1e-3, np.zeros(2), np.ones(2)))
    nir.write("other.nir", graph)
    done = program("--net", "other.nir", "--out", "other.net", "--dt", "1e-3", "--time-steps", "7", "--message-bits", 8)
    assert done.code == 0, done
    net = read_net("other.net")
    assert net.time_steps == 7 and net.input.message_bits == 8
    assert net.output.neuron is not None and net.output.neuron.voltage_decay == 2048
    ratio = net.synapses[0].weight / net.output.neuron.vth
    assert ratio.tolist() == [[0.5, 0.25, 1.0], [1.0, 0.0, -1.5]]


OPTIONS: dict[str, tuple[tuple[object, ...], str]] = {
    "same suffix": (("--net", "a.net", "--out", "b.net"), "the suffixes"),
    "nir of a stream": (("--net", "a.net", "--out", "b.nir", "--time", "stream"), "the suffixes"),
    "dt of no nir": (("--net", "a.net", "--out", "b.net", "--time", "stream", "--dt", "1e-3"), "--dt"),
    "no suffix": (("--net", "a.net", "--out", "b"), "the suffixes"),
    "no such net": (("--net", "missing.net", "--out", "a.nir"), "cannot be found"),
    "no such nir": (("--net", "missing.nir", "--out", "a.net"), "cannot be found"),
    "no folder": (("--net", "a.net", "--out", "no/a.nir"), "does not exist"),
    "T of a net": (("--net", "a.net", "--out", "a.nir", "--time-steps", 4), "--time-steps"),
    "bits of a net": (("--net", "a.net", "--out", "a.nir", "--message-bits", 4), "--message-bits"),
    "foreign net": (("--net", "a.net", "--out", "a.nir", "--foreign"), "--foreign"),
    "too large": (("--net", "a.net", "--out", "a.nir", "--max-mb", 0), "--max-mb"),
    "no time": (("--net", "a.net", "--out", "a.nir", "--dt", 0), "time step"),
    "no number": (("--net", "a.net", "--out", "a.nir", "--dt", "soon"), "soon"),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_options_without_effect_or_sense(program: Program, kind: str) -> None:
    arguments, message = OPTIONS[kind]
    outcome = program(*arguments)
    assert outcome.code == 2 and message in outcome.err, outcome
    assert not Path("a.nir").exists() and not Path("b.net").exists()


def test_what_is_said_about_a_file_of_ours_has_no_effect(program: Program) -> None:
    assert program("--net", "a.net", "--out", "a.nir").code == 0
    outcome = program("--net", "a.nir", "--out", "b.net", "--time-steps", 9)
    assert outcome.code == 2 and "no effect" in outcome.err and not Path("b.net").exists()
    outcome = program("--net", "a.nir", "--out", "b.net", "--foreign")
    assert outcome.code == 2 and "node '" in outcome.err and not Path("b.net").exists()


def test_help_teaches(program: Program) -> None:
    outcome = program("--help")
    assert outcome.code == 0 and "--time-steps" in outcome.out and "mksgn.nir" in outcome.out, outcome.err
