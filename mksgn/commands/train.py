"""Train a spiking graph network on skeletons and export it as mksgn.net.

    mksgn train                                    # the demo: synthetic skeletons
    mksgn train --preset mksgn --data nw_ucla.npz  # MK-SGN, joint modality
    # taught by finished train_teacher.py runs
    mksgn train --preset mksgn --data nw_ucla.npz --teacher RUN RUN --distil ce-kl --gamma 1 1 0

Presets
    demo       shows that everything works: a small MK-SGN on synthetic skeletons;
               three minutes on two cores, 99 % on the synthetic test split
    mksgn      six layers with spiking attention, half the paper's widths, T = 2; on NW-UCLA about
               half an hour on one core; taught by two CTR-GCNs 90 % (see models/nw-ucla-joint)
    mksgn-4    mksgn with four modalities, added up (--fusion smf weighs them by mutual information),
               and a price on synaptic operations; on NW-UCLA 90 %, with four teachers 92 %;
               about 40 minutes on one core, 70 with teachers. Two of one time step, joined by
               train/join_runs.py, 93 to 94 % (see models/nw-ucla)
    mksgn-stream
               mksgn for streams, four modalities, T = 1: no frame waits for a later one, nothing is padded,
               and it decides at every frame from the last 59
               (docs/decisions/0015; see models/nw-ucla-stream)
    paper      MK-SGN for NW-UCLA as the paper prints it, at half its widths: T = 4, SMF, Eq. 10, and its
               training settings (Tables 4 and 5); benchmarks/experiments/paper_rows.py changes one
               thing at a time
    ntu60, ntu120
               NTU RGB+D 60 and 120: the paper's widths, four modalities, and its training
               settings (Table 5); complete and tested on fixtures, never trained here
    base-sgn   the paper's baseline, ST-GCN's ten layers with LIF for ReLU, half the paper's
               widths; 84 % on NW-UCLA, an hour on one of two busy cores
    spike-driven, spikformer
               the paper's two spiking transformers, six blocks over joints x frames, a quarter
               of its width (64); 81 and 82 % on NW-UCLA, 40 minutes on one core. Spikformer
               multiplies integers (Q K^T V), which takes many product neurons on a chip; so does
               MK-SGN with --attention qkv
    spike-driven-256, spikformer-256
               the same at the paper's width, 4.78 M parameters on NTU60, 64 frames; for a
               GPU; not trained yet

With --teacher the network is distilled from trained CTR-GCNs in both stages (paper Eq. 25-32): from their
soft labels and, through the feature translation module (FTM), from their layers 5 and 8. A finished run of this
program can teach, too, by its soft labels (--gamma 1 1 0). --distil chooses
the loss: paper, ce-kl (cross-entropy and Kullback-Leibler divergence at a temperature) or tet (that at
every time step). On NW-UCLA, one modality, ce-kl without features (--gamma 1 1 0) brought 1.3 points and the
paper's loss cost 2.8 (docs/decisions/0005). --soft-labels cached is cheaper and leaves out the features.

--average-part averages the weights of the last part of the floating-point epochs, after every step at a constant
learning rate (SWA); a finished run is averaged further with --start RUN --epochs 40 --average-part 1. While it lasts,
the figures of an epoch are those of the weights as they are, which are worse than their average.

The run has two stages: floating point, then batch norm is folded, everything is rounded to the
chip's integers and the integers are fine-tuned. They are kept if they agree with the float network on
training samples at least as often as rounding alone does. What is evaluated last, by the integer
emulator, is exactly what mksgn.net holds. With SMF the modalities are weighed sample by sample in floating point;
before quantisation the weights are fixed at their means over the training set, and the accuracies with
both are reported. Every epoch leaves a checkpoint; --resume continues a killed run
to the same weights, bit for bit, on CPU with the same number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from mksgn.commands.train_options import Options
from mksgn.extras import SLAYER, require
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse


def main(arguments: Sequence[str] | None = None, command: str = "mksgn train") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        options = parse(Options, __doc__, arguments, command)
        require(SLAYER, "torch", "lightning_fabric", "safetensors", "tensorboard", what="training")
        from mksgn.commands.train_net import train_net  # only now: --help and a misspelt option answer at once

        return train_net(options, command)
