"""The options of :mod:`mksgn.commands.train`, and the recipe they make of a preset.

The options of input, networks and training are the fields of :class:`~mksgn.training.recipe.Recipe` and of the
networks' configurations (:mod:`mksgn.networks`): a new hyperparameter is a field there, with its lines in the class
docstring, which are the option's help, and with its limit in :mod:`mksgn.limits`. Nothing is to be written here.

What needs torch is imported where it is used: --help does without.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from mksgn.data.sources import SYNTHETIC
from mksgn.errors import ConfigError, found_in
from mksgn.files import name_of
from mksgn.limits import check_limits
from mksgn.networks import NETWORKS, owners
from mksgn.programs.choices import Choice, choices_of, with_choices
from mksgn.programs.options import restored
from mksgn.programs.reading import DATA_HELP, READ_AS_IT_IS, SPLIT_BY_IDS, Reading, Splitting
from mksgn.training.recipe import PRESETS, Recipe

#: Options that a resumed run takes, with its recipe, from the checkpoint.
STORED = ("preset", "data", "reading", "splitting", "start", "teacher", "device", "devices", "threads", "precision")


def network_choices() -> dict[str, Choice]:
    """The choices of all networks; those that not all networks have say whose they are."""
    found: dict[str, Choice] = {}
    for kind in NETWORKS.values():
        for name, choice in choices_of(kind).items():
            have = owners(name)
            only = "" if len(have) == len(NETWORKS) else f" Only for {' and '.join(have)}."
            found.setdefault(name, Choice(choice.kind, choice.help + only))
    return found


def recipe_choices() -> dict[str, Choice]:
    """The choices of a recipe, with those of its network in the network's place."""
    own = choices_of(Recipe, leave_out=("augment", "distil"))
    place = list(own).index("network")
    return dict([*list(own.items())[:place], *network_choices().items(), *list(own.items())[place + 1:]])


CHOICES = recipe_choices()


@with_choices(CHOICES, before="teacher", words={"preset": PRESETS})
class Options:
    """Train a spiking graph network on skeletons and export it as mksgn.net."""

    GROUPS: ClassVar[dict[str, str]] = {"reading": "format", "protocol": "protocol", "input": "frames",
                                        "network": "widths", "training": "epochs",
                                        "regularisation and validation": "rate_weight", "distillation": "teacher",
                                        "computation": "device"}

    preset: str | None = None
    """Recipe to start from; the options below change parts of it. Default: demo, or with --start that run's own."""
    data: Annotated[str, tyro.conf.arg(help=DATA_HELP)] = SYNTHETIC
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
    reading: Reading = READ_AS_IT_IS
    splitting: Splitting = SPLIT_BY_IDS
    modality: tuple[Literal["joint", "bone", "joint-motion", "bone-motion"], ...] | None = None
    val_subjects: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="[INT [INT ...]]")] = None
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
        from mksgn.training.run_files import CHECKPOINT, NET, WEIGHTS

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
        from mksgn.training.network_file import read_meta
        from mksgn.training.run_files import WEIGHTS
        from mksgn.training.starting import lineage

        if not self.start:
            return {}
        meta = read_meta(Path(self.start) / WEIGHTS)
        return lineage(Path(self.start), meta, json.loads(meta["recipe"])["epochs"])

    def choices(self) -> dict[str, Any]:
        """What was chosen of a recipe and its network, by name; None where nothing was."""
        given = {name: getattr(self, name) for name in CHOICES}
        if self.modality is not None and len(self.modality) == 1:
            given["modality"] = self.modality[0]
        return given

    def recipe(self) -> Recipe:
        """The recipe of the preset, or of the run it starts from, with the options."""
        from mksgn.training.distill import distillation
        from mksgn.training.network_file import read_meta
        from mksgn.training.run_files import WEIGHTS

        check_limits(self)
        if self.start and self.preset is None:
            meta = read_meta(Path(self.start) / WEIGHTS)
            with found_in(Path(self.start) / WEIGHTS, "start from another run, or name its --preset"):
                base = Recipe.from_dict(json.loads(meta["recipe"]))
        else:
            base = PRESETS[self.preset or "demo"]
        recipe = replace(base, distil=None).with_options(**self.choices())
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
    from mksgn.training.run_files import CHECKPOINT

    if not {"recipe", "stage", "options"} <= state.keys() or not state["options"].keys() <= vars(options).keys():
        raise ConfigError("this checkpoint is of another program, or of an older version of this one",
                          where=str(options.out), fix="resume it with what wrote it, or start anew with --overwrite")
    check_limits(options)
    assert options.out is not None, "folder() asked for it"
    with found_in(options.out / CHECKPOINT, "resume it with the version that wrote it, or start anew with --overwrite"):
        recipe, before = Recipe.from_dict(state["recipe"]), restored(options, state["options"])
        check_limits(before)
    return before, recipe.with_options(tune_epochs=options.choices()["tune_epochs"])
