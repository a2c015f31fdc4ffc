"""Measure how fast training, emulator and Lava are beside the stock stack, each pair in one run.

    python benchmarks/speed --data nw_ucla.npz                     # everything: about 12 minutes on two cores
    python benchmarks/speed --quick                                # under 3 minutes: five sections, fewer rounds
    python benchmarks/speed --only training neuron                 # some of it
    python benchmarks/speed --json speed.json --results benchmarks/results
    python benchmarks/speed --only lava --keep speed.json --json speed.json --results benchmarks/results

What is compared takes turns (ours, baseline, ours, ...), several steps each, so that a noisy machine disturbs both
alike; a ratio is that of the medians. Absolute times say little beyond the machine they are printed with. Training
takes the precision that train_slayer.py would choose here. --keep measures some sections again and leaves the others as
an earlier --json has them; the page then names the commit of every row.

    bound      what the machine can do at most: reading and writing memory, multiply-adds of a large matrix product
    training   forward, loss and backward of MK-SGN, half the paper's widths: ours, stock SLAYER blocks, SpikingJelly
               (torch backend; `pip install -e .[bench]`), the same network, weights, samples and loss,
               each in a process of its own, so that none pays for memory that another gave back
    company    an epoch of the demo's training while another training runs beside it, against one alone
    neuron     FastNeuron against slayer.neuron.cuba.Neuron, forward and backward
    kernels    the emulator's two ways, event and dense, over firing rates
    emulator   samples per second against stock Lava; the whole test set; the same dense operations as float32
    lava       time per step of the net: our Blocks, our ProcessModels, Lava's own
    full       MK-SGN of the paper's widths (Table 7), 64 frames x 25 joints, T = 4, untrained: start, step, memory
    scaling    emulator time over samples, frames, width, T; Lava step over blocks (SVG)
"""

from __future__ import annotations

import sys

from _options import Options

from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _measuring import measure

if __name__ == "__main__":
    with exit_on_error():
        measure(given)
    sys.exit(0)
