"""The options of train_slayer.py, and the recipe they make of a preset.

What needs torch is imported where it is used: --help does without.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from mksgn.data.preprocess import tuples
from mksgn.data.sources import SYNTHETIC
from mksgn.errors import ConfigError, found_in
from mksgn.files import name_of
from mksgn.limits import check_limits

if TYPE_CHECKING:
    from mksgn.training.recipe import Recipe

#: Options that a resumed run takes, with its recipe, from the checkpoint.
STORED = ("preset", "data", "skip_untracked", "leave_out", "protocol", "start", "teacher", "device", "devices",
          "threads", "precision")


@dataclass(frozen=True)
class Options:
    """Train a spiking graph network on skeletons and export it as mksgn.net."""

    GROUPS: ClassVar[dict[str, str]] = {"training": "epochs", "network and input": "widths",
                                        "regularisation and validation": "rate_weight", "distillation": "teacher",
                                        "computation": "seed"}

    preset: Literal["demo", "base-sgn", "mksgn", "mksgn-4", "ntu60", "ntu120", "spike-driven", "spikformer",
                    "spike-driven-256", "spikformer-256"] | None = None
    """Recipe to start from; the options below change parts of it. Default: demo, or with --start that run's own."""
    data: str = SYNTHETIC
    """A canonical pack or CTR-GCN .npz, a folder of NW-UCLA .json or NTU .skeleton files, or 'synthetic'."""
    skip_untracked: bool = False
    """Leave out the recordings of an NTU folder in which nobody was tracked (302 of NTU 60, 535 of NTU 120)."""
    leave_out: str | None = None
    """A text file that names recordings to leave out, one per line, such as NTU's own list."""
    protocol: str | None = None
    """Split: nw-ucla-xview, nw-ucla-dev (view 1 trains, view 2 tests; to choose recipes by), ntu60-xsub, ntu60-xview,
    ntu120-xsub, ntu120-xset; default: what the data's ids say."""
    out: Path | None = None
    """Folder for the checkpoint, mksgn.net, metrics.jsonl and TensorBoard events; default: runs/PRESET, numbered."""
    start: str | None = None
    """Folder of a finished run: this one starts from its floating-point weights and, without --preset, its recipe (a
    --teacher is named anew). With --epochs 0 it only fine-tunes integers. A folder that holds integers only, as in
    models/, will do: their batch norms come back."""
    overwrite: bool = False
    """Start anew in an --out that holds a run."""
    resume: bool = False
    """Continue the run in --out from its last checkpoint, with the recipe it was started with."""
    epochs: int | None = None
    """Epochs in floating point."""
    tune_epochs: int | None = None
    """Epochs of integer fine-tuning; with --resume it may be more than the run was started with."""
    integers: Literal["agreeing", "tuned"] | None = None
    """Integers to end with: the fine-tuned, or those of rounding alone where they agree more often with the float
    network on training samples (agreeing, the default); or the fine-tuned in any case (tuned)."""
    batch: int | None = None
    """Samples per optimiser step, over all processes."""
    lr: float | None = None
    """Peak learning rate (AdamW, one cycle)."""
    average_part: float | None = None
    """Average the weights over the last part of the floating-point epochs, such as 0.3 (SWA): their first epoch warms
    up to --average-lr, the others are averaged. 1 with --start: average from there."""
    average_lr: float | None = None
    """Learning rate while weights are averaged, constant; default: 0.001."""
    tune_lr: float | None = None
    """First learning rate of the fine-tuning, which follows a cosine to zero."""
    widths: tuple[int, ...] | None = None
    """Channels of each layer."""
    frames: int | None = None
    """Video frames after resampling."""
    persons: int | None = None
    """Persons per sample (NTU: 2)."""
    time_steps: int | None = None
    """Algorithmic time steps T; a power of two if the net is to run on Loihi 2."""
    surrogate_width: float | None = None
    """a of the rectangular surrogate gradient, in thresholds (paper Table 4: 1); its height is 1 / a."""
    modality: tuple[Literal["joint", "bone", "joint-motion", "bone-motion"], ...] | None = None
    """Input: one modality, or several, each with a spike coder of its own."""
    motion_range: float | None = None
    """Full scale of motions per frame, as a part of the largest joint or bone coordinate of the sequence, such as 0.15;
    0: each sequence's largest motion."""
    fusion: Literal["smf", "fixed", "sum"] | None = None
    """Several modalities: weighed by mutual information (smf), by --fusion-weights (fixed), or added up (sum)."""
    fusion_weights: tuple[float, ...] | None = None
    """One number per modality, for --fusion fixed."""
    coder_width: int | None = None
    """Channels of each spike coder; default: as the first layer, or as the preset says."""
    graph_conv: Literal["layer", "learned", "fused"] | None = None
    """Joint mixing as a population of its own (layer), the same with trained weights between all joints (learned), or
    inside one synapse (fused)."""
    segments: int | None = None
    """Parts of the sequence that the head averages apart; the paper has 1."""
    residual_synapses: int | None = None
    """Parallel synapses of a temporal convolution's residual, a power of two: 4 leave its trained weights two bits more
    when they are rounded."""
    rate_weight: float | None = None
    """Weight of the firing-rate regularisation."""
    synop_weight: float | None = None
    """Weight of max(S / target - 1, 0), S being the synaptic operations of a sample: spikes times their fan-out."""
    synop_target: float | None = None
    """Synaptic operations per sample that cost nothing, such as 100e6."""
    dropout: float | None = None
    """On the spikes before the classifier."""
    mixup: float | None = None
    """alpha of mixup: training samples and their labels are mixed pairwise, in shares from Beta(alpha, alpha)."""
    val_subjects: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="[INT [INT ...]]")] = None
    """Training subjects held out for validation. Give it without numbers to train on all of them."""
    teacher: Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN [RUN ...]")] = ()
    """Folders of finished train_teacher.py runs on the same data, one per modality, or of spiking networks (finished
    runs, members of models/), to distil from."""
    distil: Literal["paper", "ce-kl", "tet"] | None = None
    """Loss of the distillation; default: paper. On NW-UCLA 'ce-kl --gamma 1 1 0' taught better, by four points."""
    temperature: float | None = None
    """Temperature of ce-kl and tet; default: 2."""
    gamma: tuple[float, float, float] | None = None
    """Weights of class loss, soft labels and features (gamma in Eq. 32); default: 1 1 1."""
    beta: tuple[float, float] | None = None
    """Weights of the feature losses of the teachers' layers 5 and 8 (beta in Eq. 31); default: 1 1."""
    alpha: tuple[float, ...] | None = None
    """Weight of each teacher in the soft labels (alpha in Eq. 25); default: equal."""
    soft_labels: Literal["online", "cached"] | None = None
    """Teachers see every augmented sample (default), or what they said of the training data is used; then no FTM."""
    ftm_lr: float | None = None
    """Learning rate of the FTM's own optimiser (SGD); default: 0.1."""
    seed: int | None = None
    """Seed of initialisation, order and augmentation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train."""
    devices: int = 1
    """Processes or GPUs; under torchrun its own number is used."""
    threads: int | None = None
    """CPU threads; default: one per core, or what OMP_NUM_THREADS says. Give 1 to trainings side by
    side."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Arithmetic of the training step; evaluation and export are always exact."""

    def folder(self) -> Path:
        """Where this run lives; without --out the first runs/PRESET, runs/PRESET-2, ... that is free."""
        from mksgn.training.checkpoint import CHECKPOINT, NET, WEIGHTS

        if self.out is None:
            if self.resume:
                raise ConfigError("--resume needs the folder of the run", fix="name it with --out")
            names = (f"runs/{self.name()}" + (f"-{n}" if n > 1 else "") for n in itertools.count(1))
            return next(Path(name) for name in names if not Path(name).exists())
        held = any((self.out / name).exists() for name in (CHECKPOINT, WEIGHTS, NET))
        if held and not self.resume and not self.overwrite:
            raise ConfigError("this folder holds a run already", where=str(self.out),
                              fix="continue it with --resume, replace it with --overwrite, or name another --out")
        if self.start and not self.resume and self.out.resolve() == Path(self.start).resolve():
            raise ConfigError("a run cannot replace the one it starts from", where="--out, --start", got=str(self.out),
                              allowed="two folders", fix="name another --out")
        return self.out

    def name(self) -> str:
        """Where the recipe comes from."""
        return self.preset or (name_of(Path(self.start).resolve()) if self.start else "demo")

    def lineage(self) -> dict[str, Any]:
        """For the files of a run that starts from another, see :func:`~mksgn.training.starting.lineage`."""
        from mksgn.training.checkpoint import WEIGHTS, read_meta
        from mksgn.training.starting import lineage

        if not self.start:
            return {}
        meta = read_meta(Path(self.start) / WEIGHTS)
        return lineage(Path(self.start), meta, json.loads(meta["recipe"])["epochs"])

    def recipe(self) -> Recipe:
        """The recipe of the preset, or of the run it starts from, with the options."""
        from mksgn.training.checkpoint import WEIGHTS, read_meta
        from mksgn.training.distill import distillation
        from mksgn.training.recipe import PRESETS, Recipe

        check_limits(self)
        if self.start and self.preset is None:
            meta = read_meta(Path(self.start) / WEIGHTS)
            with found_in(Path(self.start) / WEIGHTS, "start from another run, or name its --preset"):
                base = Recipe.from_dict(json.loads(meta["recipe"]))
        else:
            base = PRESETS[self.preset or "demo"]
        names = ("epochs", "tune_epochs", "integers", "batch", "lr", "average_part", "average_lr", "tune_lr",
                 "widths", "frames", "persons", "motion_range", "time_steps", "surrogate_width", "fusion",
                 "fusion_weights", "coder_width", "graph_conv", "segments", "residual_synapses", "rate_weight",
                 "synop_weight", "synop_target", "dropout", "mixup", "val_subjects", "seed")
        recipe = replace(base, distil=None).with_options(**{name: getattr(self, name) for name in names})
        if self.modality is not None:
            recipe = replace(recipe, modality=self.modality[0] if len(self.modality) == 1 else self.modality)
        if not recipe.epochs and not recipe.tune_epochs and not self.start:
            raise ConfigError("this run trains nothing", where="--epochs, --tune-epochs", got="0, 0",
                              allowed="at least one of them above 0",
                              fix="give --epochs, or with --start the run whose weights are to be rounded")
        distil = distillation(self.distil, self.teacher, base.distil, temperature=self.temperature, gamma=self.gamma,
                              beta=self.beta, alpha=self.alpha, soft_labels=self.soft_labels, ftm_lr=self.ftm_lr)
        return recipe if distil is None else recipe.taught(distil)


def resumed(options: Options, state: dict[str, Any]) -> tuple[Options, Recipe]:
    """Options and recipe that the run of a checkpoint's ``state`` was started with, whatever the presets say today.

    The number of fine-tuning epochs may be given anew.
    """
    from mksgn.training.checkpoint import CHECKPOINT
    from mksgn.training.recipe import Recipe

    if not {"recipe", "stage", "options"} <= state.keys() or not state["options"].keys() <= vars(options).keys():
        raise ConfigError("this checkpoint is of another program, or of an older version of this one",
                          where=str(options.out), fix="resume it with what wrote it, or start anew with --overwrite")
    check_limits(options)
    assert options.out is not None, "folder() asked for it"
    with found_in(options.out / CHECKPOINT, "resume it with the version that wrote it, or start anew with --overwrite"):
        recipe, before = Recipe.from_dict(state["recipe"]), replace(options, **tuples(state["options"]))
        check_limits(before)
    return before, recipe.with_options(tune_epochs=options.tune_epochs)
