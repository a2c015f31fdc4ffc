"""The options of train_teacher.py, the recipe they make of a preset, and what a resumed run takes from a checkpoint.

What needs torch is imported where it is used: --help does without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from mksgn.data.sources import SYNTHETIC
from mksgn.errors import ConfigError, found_in
from mksgn.limits import check_limits
from mksgn.programs.options import restored
from mksgn.programs.reading import DATA_HELP, READ_AS_IT_IS, SPLIT_BY_IDS, Reading, Splitting
from mksgn.training.streams import modalities_of, stored_name, streams_of

if TYPE_CHECKING:
    from mksgn.training.starting import Origin
    from mksgn.training.teacher_recipe import TeacherRecipe

DEFAULT = "nw-ucla"
#: Options that a resumed run takes, with its recipe, from the checkpoint.
STORED = ("preset", "data", "reading", "splitting", "start", "device", "threads", "precision")


@dataclass(frozen=True)
class Options:
    """Train CTR-GCN or ST-GCN as a teacher, one stream or all four, and fuse the streams."""

    GROUPS: ClassVar[dict[str, str]] = {"reading": "format", "split": "protocol", "fusion": "fuse",
                                        "network and input": "network", "training": "epochs", "computation": "seed"}

    preset: Literal["nw-ucla", "nw-ucla-full", "ntu60", "ntu120"] | None = None
    """Recipe to start from; the options below change parts of it. Default: nw-ucla, or with --start that run's own."""
    data: Annotated[str, tyro.conf.arg(help=DATA_HELP)] = SYNTHETIC
    modality: Literal["joint", "bone", "joint-motion", "bone-motion", "all", "early"] = "joint"
    """Input stream. 'all' trains the four one after the other and fuses them; 'early' trains one network that reads all
    four, for a quarter of the time."""
    out: Path | None = None
    """Folder of the run; with --modality all its beginning: OUT-joint, OUT-bone, ... Default: runs/teacher-MODALITY."""
    start: str | None = None
    """Folder of a finished run of this modality, with --modality all its beginning as in --out: this run starts from
    its weights and, without --preset, its recipe (a restart from the first epoch, not --resume)."""
    overwrite: bool = False
    """Start anew in a folder that holds a run."""
    resume: bool = False
    """Continue from the last checkpoint, with the recipe the run was started with; finished streams are left alone.
    The folder that --out names says which stream it is of; with --modality all give that, too."""
    reading: Reading = READ_AS_IT_IS
    splitting: Splitting = SPLIT_BY_IDS
    fuse: tuple[Path, ...] = ()
    """Train nothing: fuse the streams of these finished runs and print the accuracy."""
    alpha: tuple[float, ...] = ()
    """Weight of each stream in the fusion (alpha in Eq. 25); default: equal. CTR-GCN's authors fuse joint, bone and
    their motions with 0.6 0.6 0.4 0.4."""
    network: Literal["ctr-gcn", "st-gcn"] | None = None
    """Network to train."""
    base_channels: int | None = None
    """Width of the first four of the ten layers."""
    frames: int | None = None
    """Video frames after resampling."""
    persons: int | None = None
    """Persons per sample (NTU: 2)."""
    motion_range: float | None = None
    """Full scale of motions per frame, as a part of the largest joint or bone coordinate of the sequence, such as 0.15;
    0: each sequence's largest motion."""
    missing: Literal["none", "interpolate"] | None = None
    """What is done about joints that are missing in data with scores: nothing, or they are interpolated."""
    min_score: float | None = None
    """With --missing interpolate: joints of a lower score are missing, too."""
    epochs: int | None = None
    """Number of epochs."""
    passes: int | None = None
    """Times an epoch goes through the training set."""
    batch: int | None = None
    """Samples per optimiser step."""
    lr: float | None = None
    """Peak learning rate (SGD, Nesterov momentum 0.9)."""
    warm_up: int | None = None
    """Epochs over which the learning rate rises."""
    schedule: Literal["cosine", "step"] | None = None
    """What the learning rate does then."""
    milestones: tuple[int, ...] | None = None
    """Epochs at which the step schedule divides it by ten."""
    average_part: float | None = None
    """Average the weights over the last part of the epochs, such as 0.3 (SWA), at a constant rate."""
    average_lr: float | None = None
    """Learning rate while weights are averaged; default: 0.005."""
    weight_decay: float | None = None
    """L2 penalty of all parameters."""
    label_smoothing: float | None = None
    """Share of the target spread over all classes."""
    dropout: float | None = None
    """Before the classifier (CTR-GCN) or after every temporal convolution (ST-GCN; published: 0.5)."""
    val_subjects: Annotated[tuple[int, ...] | None, tyro.conf.arg(metavar="[INT [INT ...]]")] = None
    """Training subjects held out for validation; the presets hold out none."""
    seed: int | None = None
    """Seed of initialisation, order and augmentation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train."""
    threads: int | None = None
    """CPU threads; default: one per core, or what OMP_NUM_THREADS says. Give 1 to trainings side by
    side."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Arithmetic of the training step; loss and evaluation are always float32."""

    def check(self) -> None:
        """Refuse impossible numbers, and weights that are not one per stream, before anything is trained or fused.

        Raises
        ------
        ConfigError
        """
        check_limits(self)
        streams = len(self.fuse or self.modalities())
        if self.alpha and not self.fuse and streams == 1:
            raise ConfigError("alpha has no effect on a single stream", "--alpha", " ".join(map(str, self.alpha)),
                              fix="give it with --fuse or --modality all")
        if self.alpha and (len(self.alpha) != streams or not any(self.alpha)):
            raise ConfigError("the weights of the streams are impossible", "--alpha", " ".join(map(str, self.alpha)),
                              f"{streams} numbers, not all zero", "give one number per stream, or leave out --alpha")

    def name(self) -> str:
        """Where the recipe comes from."""
        return self.preset or (Path(self.start).resolve().name if self.start else DEFAULT)

    def modalities(self) -> tuple[str, ...]:
        """Streams to train, one after the other."""
        return streams_of(self.modality)

    def recipe(self) -> TeacherRecipe:
        """The recipe of the preset, or of the runs it starts from, with the options.

        Raises
        ------
        ConfigError
            When a run to start from is of another modality, or they differ in their recipes; impossible values.
        """
        from mksgn.training.teacher_recipe import PRESETS, TeacherRecipe

        self.check()
        names = TeacherRecipe.__dataclass_fields__.keys() & vars(self).keys()
        found = {modality: self.start_recipe(modality) for modality in self.modalities() if self.start is not None}
        base = PRESETS[self.preset or DEFAULT]
        if found and self.preset is None:
            base = found[self.modalities()[0]]
            for modality, recipe in found.items():
                if recipe != base:
                    raise ConfigError("the runs to start from have different recipes", f"--start {self.start}",
                                      modality, fix="name a --preset, or go on with each --modality by itself")
        return base.with_options({name: getattr(self, name) for name in names})

    def folder(self, modality: str) -> Path:
        """Folder of a stream's run."""
        base = Path("runs/teacher") if self.out is None else self.out
        return base if self.modality != "all" and self.out else stream_folder(base, modality)

    def started(self, modality: str) -> tuple[Path, dict[str, Any]]:
        """Folder and metadata of the finished run that --start names for a modality."""
        from mksgn.teachers.weights import load_teacher
        from mksgn.training.run_files import WEIGHTS

        assert self.start is not None
        folder = stream_folder(Path(self.start), modality) if self.modality == "all" else Path(self.start)
        meta = load_teacher(folder / WEIGHTS)[1]
        expected = stored_name(modalities_of(modality))
        if meta["modality"] != expected:
            raise ConfigError("the run to start from is of another modality", str(folder), meta["modality"], expected,
                              fix="name a run of the same modality with --start, or another --modality")
        return folder, meta

    def origin(self, modality: str, state: dict[str, Any] | None) -> Origin:
        """Where a stream's run comes from; one that goes on from a checkpoint's ``state`` has been told already."""
        from mksgn.training.starting import Origin, lineage

        if self.start is None or state is not None:
            return Origin(self.name(), None, state.get("lineage", {}) if state else {})
        folder, meta = self.started(modality)
        return Origin(self.name(), folder, lineage(folder, meta, meta["recipe"]["epochs"]))

    def start_recipe(self, modality: str) -> TeacherRecipe:
        """Recipe of the finished run that --start names for a modality."""
        from mksgn.training.run_files import WEIGHTS
        from mksgn.training.teacher_recipe import TeacherRecipe

        folder, meta = self.started(modality)
        with found_in(folder / WEIGHTS, "start from another run, or name its --preset"):
            return TeacherRecipe.from_dict(meta["recipe"])


def stream_folder(base: Path, modality: str) -> Path:
    """Folder of one stream where ``base`` is the beginning of all."""
    return base.with_name(f"{base.name}-{modality}")


def check_folders(options: Options, folders: dict[str, Path]) -> None:
    """Refuse folders that hold other runs, none to resume, or no place to write to."""
    from mksgn.training.folder import check_folder
    from mksgn.training.run_files import CHECKPOINT, WEIGHTS

    held = [folder for folder in folders.values() if (folder / CHECKPOINT).exists()]
    if options.resume and not held:
        raise ConfigError("there is no run to resume", where=", ".join(map(str, folders.values())),
                          fix="start without --resume, or name its folder with --out")
    held += [folder for folder in folders.values() if (folder / WEIGHTS).exists()]
    if held and not options.resume and not options.overwrite:
        raise ConfigError("this folder holds a run already", where=str(held[0]),
                          fix="continue it with --resume, replace it with --overwrite, or name another --out")
    for modality, folder in folders.items():
        check_folder(folder)
        if options.start and not options.resume and folder.resolve() == options.started(modality)[0].resolve():
            raise ConfigError("a run cannot replace the one it starts from", "--out, --start", str(folder),
                              "two folders", "name another --out")


def resumed(options: Options, folders: dict[str, Path]) -> tuple[Options, TeacherRecipe]:
    """Options and recipe that the run being resumed was started with, whatever the presets say today.

    One folder says itself which stream it is of. With --modality all each stream has its own.
    """
    from mksgn.training.run_files import CHECKPOINT, read_state
    from mksgn.training.teacher_recipe import TeacherRecipe

    first = next(folder for folder in folders.values() if (folder / CHECKPOINT).exists())
    state = read_state(first / CHECKPOINT)
    options.check()
    try:
        with found_in(first / CHECKPOINT, "resume it with the version that wrote it, or start anew with --overwrite"):
            restart = restored(options, state["options"])
            return (replace(restart, modality="all") if options.modality == "all" else restart,
                    TeacherRecipe.from_dict(state["recipe"]))
    except (KeyError, TypeError) as error:
        raise ConfigError("this checkpoint is of another program", str(first / CHECKPOINT), f"no usable {error}",
                          fix="name the folder of a run of train_teacher.py") from None
