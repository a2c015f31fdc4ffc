"""Train a spiking graph network on skeletons and export it as mksgn.net.

    python train/train_slayer.py                                    # the demo: synthetic skeletons
    python train/train_slayer.py --preset mksgn --data nw_ucla.npz  # MK-SGN, joint modality
    # taught by finished train_teacher.py runs
    python train/train_slayer.py --preset mksgn --data nw_ucla.npz --teacher RUN RUN --distil ce-kl --gamma 1 1 0

Presets
    demo       shows that everything works: a small MK-SGN on synthetic skeletons;
               three minutes on two cores, 99 % on the synthetic test split
    mksgn      six layers with spiking attention, half the paper's widths, T = 2; on NW-UCLA about
               half an hour on one core; taught by two CTR-GCNs 90 % (see models/nw-ucla-joint)
    mksgn-4    mksgn with four modalities, added up (--fusion smf weighs them by mutual information),
               and a price on synaptic operations; on NW-UCLA 90 %, with four teachers 92 %;
               about 40 minutes on one core, 70 with teachers. Two of one time step, joined by
               train/join_runs.py, 93 to 94 % (see models/nw-ucla)
    ntu60, ntu120
               NTU RGB+D 60 and 120: the paper's widths, four modalities, and its training
               settings (Table 5); complete and tested on fixtures, never trained here
    base-sgn   the paper's baseline, ST-GCN's ten layers with LIF for ReLU, half the paper's
               widths; 84 % on NW-UCLA, an hour on one of two busy cores
    spike-driven, spikformer
               the paper's two spiking transformers, six blocks over joints x frames, a quarter
               of its width (64); 81 and 82 % on NW-UCLA, 40 minutes on one core. Spikformer
               multiplies integers (Q K^T V): it gets no mksgn.net, only weights and accuracies
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

import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from _slayer_options import STORED, Options, resumed
from rich.console import Console

from mksgn.files import name_of
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from mksgn.data.sources import load
from mksgn.training.checkpoint import CHECKPOINT, NET, WEIGHTS, read_state
from mksgn.training.devices import check_devices, choose_device, prepare_arithmetic
from mksgn.training.folder import check_folder, run_folders
from mksgn.training.printing import print_accuracies, print_run_command
from mksgn.training.processes import is_first_process, launch
from mksgn.training.run_data import RunData
from mksgn.training.starting import Origin
from mksgn.training.student import StudentTraining
from mksgn.training.trainer import Trainer


def main(options: Options) -> None:
    console, folder = Console(), options.folder()
    check_folder(folder)
    state = None
    if options.resume:
        state = read_state(folder / CHECKPOINT, stage=str, epoch=int, results=dict, scales=list)
        options, recipe = resumed(options, state)
    else:
        recipe = options.recipe()
    prepare_arithmetic(options.threads)
    device = choose_device(options.device)
    check_devices(options.devices, device)
    say: Callable[[str], None] = partial(console.print, markup=False) if is_first_process() else lambda _: None
    pack = load(options.data, skip_untracked=options.skip_untracked, leave_out=options.leave_out, say=say)
    data = RunData.prepared(pack, name_of(options.data), recipe.preprocess(pack), protocol=options.protocol,
                            val_subjects=recipe.val_subjects, seed=recipe.seed)
    fabric = launch(device, options.devices)
    origin = Origin(options.name(), Path(options.start) if options.start else None, options.lineage())
    training = StudentTraining(folder, recipe, data, fabric, origin, teachers=options.teacher,
                               precision=options.precision, state=state)
    stored = {name: getattr(options, name) for name in STORED}
    again = f"python train/train_slayer.py --resume --out {shlex.quote(str(folder))}"
    with run_folders([folder], again) if fabric.is_global_zero else nullcontext():
        results = Trainer(training, stored, state, console).run()
    if fabric.is_global_zero:
        report(console, options, training, results)


def report(console: Console, options: Options, training: StudentTraining, results: Mapping[str, Any]) -> None:
    """What came out, and what to type next."""
    obstacles, clean = training.network.obstacles(), training.data.split.clean
    names = {"float": "float", "float_fixed": "float, modalities weighed alike",
             "integer": f"integers ({'torch' if obstacles else 'emulator'})"}
    print_accuracies(console, results, names, None if clean is None else len(clean))
    if "integers" in results:
        console.print(f"{results['integers']} integers: of the training samples {results['agreement_tuned']:.2%} "
                      f"(fine-tuned) and {results['agreement_rounded']:.2%} (rounded alone) are predicted as in float")
    console.print(f"mean firing rate {results['mean_rate']:.3f}")
    if obstacles:
        console.print(f"wrote {training.folder / WEIGHTS}; no {NET}, because {', '.join(obstacles)}: "
                      + "; ".join(sorted(set(obstacles.values()))))
        return
    console.print(f"wrote {training.folder / NET}", markup=False, soft_wrap=True)
    print_run_command(console, training.folder / NET, options.data)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
