"""The picture at the entrance: a recording as the network reads it, the spikes it causes, and the decision.

    python benchmarks/picture.py --net models/nw-ucla-joint/mksgn.net --data nw_ucla.npz

The net runs one test sample in the emulator. The poses are the int8 coordinates that enter the network; the rows below
are neurons of one joint, layer by layer; the bars are the readout's integers. Nothing is drawn that did not happen.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """Draw one test sample: skeleton, spikes layer by layer, decision."""

    net: Path = ROOT / "models/nw-ucla-joint/mksgn.net"
    """The network; it must read joints."""
    data: str | None = None
    """The data; default: what the net was trained on, where it is found."""
    sample: str = "a11_s06_e00_v03"
    """Name of the test sample."""
    joint: str = "hand_right"
    """The joint whose neurons are drawn."""
    populations: tuple[str, ...] = ("sc", "block2.stc", "block4.stc", "block6.stc")
    """Populations to draw, from the input to the decision."""
    out: Path = ROOT / "benchmarks/results/entrance.svg"
    """Write the picture here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _picture_svg import Raster, Scene, svg_of

from mksgn.data.sources import load
from mksgn.emulator import Emulator
from mksgn.netx import read_net
from mksgn.programs.outputs import check_writable, write_text
from mksgn.programs.samples import find_data, select

TITLES = {"sc": "spike coder"}


def title_of(population: str) -> str:
    """What a reader who knows no population's name is told."""
    layer = population.partition(".")[0].removeprefix("block")
    return TITLES.get(population, f"layer {layer}" if layer.isdigit() else population)


def chosen(name: str, known: tuple[str, ...], where: str) -> int:
    """Position of ``name`` among ``known``.

    Raises
    ------
    ConfigError
        When it is not there.
    """
    if name not in known:
        raise ConfigError("there is nothing of this name", where=where, got=name,
                          allowed=", ".join(known[:20]) + (", ..." if len(known) > 20 else ""))
    return known.index(name)


def scene_of(options: Options) -> Scene:
    """Run the sample, and take from the run what the picture shows."""
    graph = read_net(options.net)
    source = find_data(graph, options.net, options.data)
    pack = load(source.data)
    everything = select(graph, options.net, source, None, None, 0, pack)
    joint = chosen(options.joint, pack.joint_names, "--joint")
    index = chosen(options.sample, everything.names, "--sample")
    if graph.input.shape[0] != 3:
        raise ConfigError("this net does not read joints alone", where=str(options.net),
                          got=f"{graph.input.shape[0]} coordinates per joint", allowed="3")
    sample = everything.x[index]
    with Emulator(graph, batch_size=1, kernel="dense") as emulator:
        result = emulator.run(sample[None], record="spikes")
    rasters = []
    for name in options.populations:
        chosen(name, tuple(result.spikes), "--populations")
        spikes = result.spikes[name][0, :, :, joint]  # (C, F, T)
        rasters.append(Raster(title_of(name), spikes.reshape(len(spikes), -1), result.spikes[name].size,
                              int(result.spikes[name].sum())))
    classes = everything.class_names
    return Scene(sample=options.sample, label=classes[everything.labels[index]], pose=sample.transpose(1, 2, 0),
                 edges=pack.body.edges, centre=pack.body.center, joint=joint,
                 joint_name=" ".join(reversed(options.joint.split("_"))),
                 head=pack.joint_names.index("head") if "head" in pack.joint_names else None,
                 rasters=tuple(rasters), classes=classes,
                 readout=result.output[0], time_steps=graph.time_steps or 1)


def main(options: Options) -> int:
    check_writable(options.out, "--out")
    scene = scene_of(options)
    write_text(options.out, svg_of(scene))
    decided = scene.classes[int(scene.readout.argmax())]
    print(f"{options.out}: {scene.sample}, {scene.label}; the network says {decided}")
    return 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
