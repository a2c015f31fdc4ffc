"""benchmarks/pilotnet.py: what it counts on others' network, and what it makes of the published measurement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from programs import Program, program_module

from mksgn.errors import ConfigError
from mksgn.extras import SLAYER, present
from mksgn.mapping import board

PROGRAM = "benchmarks/pilotnet.py"


@pytest.fixture(scope="module")
def pilotnet() -> Iterator[ModuleType]:
    if not present(SLAYER):
        pytest.skip("needs lava-dl: extra lava (CPython 3.10)")
    with program_module("benchmarks/pilotnet.py") as module:
        try:
            module.wheel_file("network.net")
        except ConfigError as error:
            pytest.skip(str(error))
        yield module


@pytest.fixture(scope="module")
def counted(pilotnet: ModuleType) -> tuple:
    graph, frame = pilotnet.load()
    return graph, frame, pilotnet.count(graph, frame)


def test_every_neuron_spikes_as_often_as_recorded(pilotnet: ModuleType, counted: tuple) -> None:
    _, _, counts = counted
    recorded = pilotnet.recorded_spikes()
    assert len(recorded) == 9 and sum(int(spikes.sum()) for spikes in recorded.values()) > 700_000
    for name, spikes in recorded.items():
        np.testing.assert_array_equal(counts.sent[name], spikes, err_msg=name)


def test_the_published_figures_agree_with_each_other(pilotnet: ModuleType) -> None:
    published = pilotnet.PUBLISHED
    assert published.cores == 74
    assert published.total_mj == pytest.approx(published.total_w / published.samples_per_s * 1e3, rel=2e-3)
    assert published.dynamic_mj + published.static_mj == pytest.approx(published.total_mj, rel=2e-3)
    assert published.step_us == pytest.approx(152.8, abs=0.1)


def test_the_compilers_placement_is_that_of_its_log(pilotnet: ModuleType, counted: tuple) -> None:
    graph, _, counts = counted
    placement = pilotnet.compilers_placement(graph, board("oheo-gulch"), pilotnet.activities(graph, counts))
    assert len(placement.cores) == 74
    held: dict[str, list[np.ndarray]] = {}
    for core in placement.cores:
        (slab,) = core.slabs
        held.setdefault(slab.population, []).append(slab.ids)
    for population in graph.populations[1:]:
        ids = np.concatenate(held[population.name])
        assert sorted(ids.tolist()) == list(range(population.size)), population.name
    # The log: neurons of the first core of each convolution.
    sizes = {core.slabs[0].population: core.neurons for core in reversed(placement.cores)}
    assert [sizes[f"layer_{n}"] for n in (0, 1, 2, 3, 4, 5)] == [3168, 3072, 2160, 2688, 2048, 2048]


def test_events_of_a_core_by_hand(pilotnet: ModuleType, counted: tuple) -> None:
    """The 20th core of the first convolution: 4 columns of 24 channels, from spikes that others recorded."""
    graph, _, counts = counted
    placement = pilotnet.compilers_placement(graph, board("oheo-gulch"), pilotnet.activities(graph, counts))
    work = pilotnet.on_chip(placement.work(pilotnet.activities(graph, counts), counts.active))
    core = 13 + 19
    columns = range(19 * 4, 20 * 4)
    spikes = pilotnet.recorded_spikes()["layer_0"]
    (synapse,) = graph.into("layer_1")
    assert synapse.stride == (2, 2) and synapse.padding == (0, 0) and synapse.weight.shape == (24, 3, 3, 3)
    synops, read = 0, np.zeros(spikes.shape, bool)
    for row in range(32):
        for column in columns:
            for m, n in np.ndindex(3, 3):
                source = spikes[:, 2 * row + m, 2 * column + n]
                synops += int(((synapse.weight[:, :, m, n] != 0) * source).sum())
                read[:, 2 * row + m, 2 * column + n] = True
    assert work.synops[core] == synops > 100_000
    assert work.messages_in[core] == spikes[read].sum()
    assert work.macs.sum() == 0 and work.host_messages == 0, "the frame stands in biases"
    assert work.synops.sum() == sum(counts.synops.values())
    assert work.spikes.sum() == sum(counts.spikes.values()) - counts.spikes["input"]
    assert (work.updates_active + work.updates_idle).sum() == 16 * 158509
    assert work.updates_active.sum() == pytest.approx(sum(counts.active.values()))
    assert (work.steps, work.latency_steps) == (16, 16 + 9)


def test_an_error_factor_is_modelled_over_measured(pilotnet: ModuleType, counted: tuple) -> None:
    from mksgn.energy.costs import cost_models

    graph, _, counts = counted
    activity = pilotnet.activities(graph, counts)
    work = pilotnet.on_chip(pilotnet.compilers_placement(graph, board("oheo-gulch"), activity).work(activity,
                                                                                                counts.active))
    (row,) = pilotnet.compare(work, {"loihi1": cost_models()["loihi1"]})
    assert row["error_factor"]["dynamic_mj"][0] == pytest.approx(row["dynamic_mj"][0] / 1.094)
    assert row["error_factor"]["samples_per_s"][1] == pytest.approx(row["streaming"]["samples_per_s"][1] / 408.91)
    (row,) = pilotnet.compare(work, {"horowitz-int8": cost_models()["horowitz-int8"]})
    assert row["error_factor"]["samples_per_s"] is None and row["error_factor"]["total_mj"] is None


def test_the_program(tmp_path: Path, program: Program, pilotnet: ModuleType) -> None:
    table = tmp_path / "mine.toml"
    table.write_text('title = "mine"\nabout = "twice the price"\nbase = "loihi1"\n[energy.synop]\nvalue = 47.2\n'
                     'unit = "pJ"\nsource = "a guess"\nbasis = "assumed"\n')
    out, page = tmp_path / "out.json", tmp_path / "page.md"
    done = program("--inputs", 1, "--costs", table, "--json", out, "--results", page)
    assert done.code == 0, done.out + done.err
    record = json.loads(out.read_text())
    assert set(record["placements"]) == {"compiler's", "ours, fewest cores", "ours, least time"}
    assert sum(row["neurons_that_differ"] or 0 for row in record["layers"]) == 0
    for placement in record["placements"].values():
        found = {row["model"]: row for row in placement["models"]}
        twice, once = (found[name]["terms_mj"]["synops"][0] for name in ("mine", "loihi1"))
        assert twice == pytest.approx(2 * once)
        total = sum(sum(row["cores"].values()) for row in record["layers"])
        assert total == pytest.approx(sum(p["cores"] for p in record["placements"].values()))
    # Every figure on the terminal is in the page, and the other way round.
    for text in ("408.9", "1.094", "loihi1-fitted", "Operations alone"):
        assert text in done.out and text in page.read_text()
    assert page.read_text().count("\n| **measured on Loihi 2** |") == 3


@pytest.mark.parametrize(("options", "message"), [
    ({"inputs": (1.5,)}, "--inputs"), ({"inputs": (float("nan"),)}, "--inputs"), ({"inputs": ()}, "--inputs"),
    ({"board": "loihi3"}, "loihi3"), ({"costs": (Path("none.toml"),)}, "none.toml"),
    ({"json": Path("none/out.json")}, "--json"), ({"results": Path("none/out.md")}, "--results"),
])
def test_bad_options_are_refused(pilotnet: ModuleType, options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pilotnet.main(pilotnet.Options(**options))
    assert message in str(caught.value)


def test_two_tables_of_one_name_are_refused(pilotnet: ModuleType, tmp_path: Path) -> None:
    table = tmp_path / "loihi1.toml"
    table.write_text('title = "mine"\nabout = "the same"\nbase = "loihi1"\n')
    with pytest.raises(ConfigError, match="one name"):
        pilotnet.main(pilotnet.Options(costs=(table,)))


def test_an_error_is_one_message(program: Program) -> None:
    done = program("--board", "loihi3")
    assert done.code == 2 and done.err.startswith("error: ")


def test_another_lava_dl_is_named(pilotnet: ModuleType) -> None:
    with pytest.raises(ConfigError, match=r"carries no PilotNet[\s\S]*nothing.npy"):
        pilotnet.wheel_file("nothing.npy")
