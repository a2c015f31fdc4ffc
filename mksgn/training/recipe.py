"""Training recipes: every choice of a run in one frozen dataclass, and the presets users start from.

Nothing here imports torch: programs derive their options from :class:`Recipe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from mksgn import networks
from mksgn.data.augmentation import augmentation_for, lateral_joints
from mksgn.data.causal import Causal
from mksgn.data.pack import Pack
from mksgn.data.preprocess import MODALITIES, Augment, Preprocess, check_missing, tuples, way_of
from mksgn.errors import ConfigError, typed
from mksgn.limits import check_limits
from mksgn.networks import DataShape, MkSgnConfig, NetworkConfig
from mksgn.networks.registry import check_choices
from mksgn.training.averaged_tail import AveragedTail

if TYPE_CHECKING:
    from mksgn.nn import SpikingGraphNet
    from mksgn.training.distill import Distillation


@dataclass(frozen=True, kw_only=True)
class Recipe(AveragedTail):
    """All choices of one training run: the preprocessing, the network, and its training.

    Parameters
    ----------
    frames : int
        Video frames after resampling.
    persons : int
        Persons per sample (NTU: 2).
    modality : str or tuple of str
        Input: one modality, or several, each with a spike coder of its own.
    root_range : float
        Range of the centre's displacement since the first frame, over the range of all other coordinates.
    motion_range : float
        Full scale of motions per frame, as a part of the largest joint or bone coordinate of the sequence, such as
        0.15; 0: each sequence's largest motion.
    missing : 'none' or 'interpolate'
        What is done about joints that are missing in data with scores: nothing (none, the default), or they are
        interpolated within their sequence; one that no frame shows is 0 in the network's input.
    min_score : float
        With --missing interpolate: joints of a lower score are missing, too.
    coding : 'clip' or 'causal'
        Preprocessing: of whole sequences, before the first frame of which the last is read (clip); or of frames as
        they come, for streams (causal). A sample is then the last --frames of its sequence.
    rate : float
        Frames per second that enter the network with --coding causal; 0: every frame of the sensor.
    recorded_rate : float
        Frames per second of the recordings, for --rate.
    settle : int
        Frames from which --coding causal estimates the body's bones.
    network : NetworkConfig
        Which network, and its choices; see :mod:`mksgn.networks`.
    epochs : int
        Epochs in floating point.
    tune_epochs : int
        Epochs of integer fine-tuning; with --resume it may be more than the run was started with.
    passes : int
        Times an epoch goes through the training set.
    batch : int
        Samples per optimiser step, over all processes.
    lr : float
        Peak learning rate in floating point.
    tune_lr : float
        First learning rate of the fine-tuning, which follows a cosine to zero.
    estimator_lr : float
        Learning rate of the Adam that trains the estimator of --fusion smf, constant.
    weight_decay : float
        Weight decay of the weights; biases and batch norms have none.
    label_smoothing : float
        Share of a label that is spread over all classes.
    optimiser : 'adamw' or 'sgd'
        Optimiser of the floating-point epochs (sgd has momentum 0.9); the fine-tuning always takes AdamW.
    schedule : 'one-cycle' or 'step'
        Course of the learning rate in floating point: one cycle, or a step down after --lr-step epochs.
    lr_step : int
        Epoch from which on the schedule 'step' multiplies the learning rate by --lr-decay.
    lr_decay : float
        Factor of the schedule 'step'.
    early_steps : int
        Time steps T of the first epochs (--early-part), at most --time-steps: fewer cost less, and the weights carry
        over because the head averages over T.
    early_part : float
        Part of the floating-point epochs that run with --early-steps.
    average_part : float
        Average the weights over the last part of the floating-point epochs, such as 0.3 (SWA): their first epoch warms
        up to --average-lr, the others are averaged. 1 with --start: average from there.
    average_lr : float
        Learning rate while weights are averaged, constant; default: 0.001.
    integers : 'agreeing' or 'tuned'
        Integers to end with: the fine-tuned, or those of rounding alone where they agree more often with the float
        network on training samples (agreeing, the default); or the fine-tuned in any case (tuned).
    scales : 'power-of-two' or 'integer'
        Weight units per threshold, for each population: any integer (default), which rounds closer, or a power of two.
    tune_loss : 'same' or 'own'
        What the fine-tuning minimises: what the floating-point epochs do (same, the default), or the divergence from
        the run's own floating-point network (own).
    seed : int
        Seed of initialisation, order and augmentation.
    rate_weight : float
        Weight of the firing-rate regularisation, the mean over populations of max(rate - target, 0).
    rate_target : float
        Firing rate that costs nothing.
    synop_weight : float
        Weight of max(S / target - 1, 0), S being the synaptic operations of a sample: spikes times their fan-out.
    synop_target : float
        Synaptic operations per sample that cost nothing, such as 100e6.
    mixup : float
        alpha of mixup: training samples and their labels are mixed pairwise, in shares from Beta(alpha, alpha).
    val_subjects : tuple of int, optional
        Training subjects held out for validation; default: one fifth of them, chosen by the seed. Give it without
        numbers to train on all of them.
    augment : Augment
        Random changes of the training samples.
    distil : Distillation, optional
        How trained networks teach this one, in both stages.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`), or choices contradict each other.
    """

    frames: int = 32
    persons: int = 1
    modality: str | tuple[str, ...] = "joint"
    root_range: float = 3.0
    motion_range: float = 0.0
    missing: Literal["none", "interpolate"] = "none"
    min_score: float = 0.0
    coding: Literal["clip", "causal"] = "clip"
    rate: float = 0.0
    recorded_rate: float = 30.0
    settle: int = 8
    network: NetworkConfig = field(default_factory=MkSgnConfig)
    epochs: int = 70
    tune_epochs: int = 15
    passes: int = 1
    batch: int = 32
    lr: float = 3e-3
    tune_lr: float = 3e-4
    estimator_lr: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    optimiser: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["one-cycle", "step"] = "one-cycle"
    lr_step: int = 50
    lr_decay: float = 0.1
    early_steps: int = 2
    early_part: float = 0.7
    average_part: float = 0.0
    average_lr: float = 1e-3
    integers: Literal["agreeing", "tuned"] = "agreeing"
    scales: Literal["power-of-two", "integer"] = "integer"
    tune_loss: Literal["same", "own"] = "same"
    seed: int = 0
    rate_weight: float = 0.1
    rate_target: float = 0.1
    synop_weight: float = 0.0
    synop_target: float = 100e6
    mixup: float = 0.0
    val_subjects: tuple[int, ...] | None = None
    augment: Augment = field(default_factory=Augment)
    distil: Distillation | None = None

    def __post_init__(self) -> None:
        check_limits(self)
        self.network.check_modalities(self.modalities)
        self._check_coding()
        if self.mixup and self.distil and self.distil.soft_labels == "cached":
            raise ConfigError("cached soft labels know only unmixed samples, so they cannot teach with --mixup",
                              where="--mixup, --soft-labels", got=f"{self.mixup}, cached",
                              fix="use --soft-labels online, or no --mixup")
        if self.early_steps < self.network.fewest_steps:
            raise ConfigError("mutual information needs time steps to shuffle", where="--fusion smf, --early-steps",
                              got=str(self.early_steps), allowed="2 or more",
                              fix="give more --early-steps, or --fusion sum")

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities, one or several."""
        return (self.modality,) if isinstance(self.modality, str) else self.modality

    def _check_coding(self) -> None:
        if self.coding == "causal":
            if self.missing != "none":
                raise ConfigError("frames that are coded as they come hold missing joints where they were", "--missing",
                                  self.missing, "none", "leave out --missing, or --coding causal")
            if self.augment.pace and not self.rate:
                raise ConfigError("frames that change their pace need a rate at which they enter the network", "--rate",
                                  "0", "a number above 0", "give the --recorded-rate of the data")
            return
        check_missing(self.missing, self.min_score)
        if self.rate:
            raise ConfigError("only a preprocessing of frames as they come has a rate", "--rate", str(self.rate),
                              fix="give --coding causal, or leave out --rate")

    def preprocess(self, pack: Pack) -> Preprocess:
        """Deterministic preprocessing for ``pack``; bodies with named hips and shoulders are turned to face one way."""
        causal = Causal(rate=self.rate, recorded_rate=self.recorded_rate, settle=self.settle)
        return Preprocess(frames=self.frames, persons=self.persons, modality=self.modality,
                          lateral=lateral_joints(pack), root_range=self.root_range, motion_range=self.motion_range,
                          missing=way_of(self.missing), min_score=self.min_score,
                          causal=causal if self.coding == "causal" else None)

    def augmentation(self, pack: Pack) -> Augment:
        """Augmentation that suits ``pack``, see :func:`~mksgn.data.augmentation.augmentation_for`."""
        return augmentation_for(pack, self.augment)

    def steps_at(self, stage: str, epoch: int) -> int:
        """T of an epoch."""
        early = stage == "float" and epoch < self.early_part * self.epochs
        time_steps = self.network.time_steps
        return min(self.early_steps, time_steps) if early else time_steps

    def data_shape(self, pack: Pack) -> DataShape:
        """What ``pack`` and the preprocessing determine of the network."""
        return DataShape(body=pack.body, classes=len(pack.class_names), frames=self.frames, persons=self.persons,
                         modalities=self.modalities)

    def untrained(self, pack: Pack) -> SpikingGraphNet:
        """The network for ``pack``, with fresh weights from torch's random generator."""
        from mksgn.nn import SpikingGraphNet

        return SpikingGraphNet(self.network, self.data_shape(pack))

    def with_options(self, **given: Any) -> Recipe:
        """A copy with every choice that is not None replaced, be it the network's or the training's.

        Raises
        ------
        ConfigError
            When a choice means nothing to the network, or is impossible.
        """
        given = {name: value for name, value in given.items() if value is not None}
        own = {each.name for each in fields(self)}
        of_network = {name: value for name, value in given.items() if name not in own}
        check_choices(self.network.name, of_network)
        return replace(self, network=self.network.changed(**of_network),
                       **{name: value for name, value in given.items() if name in own})

    def taught(self, distil: Distillation) -> Recipe:
        """A copy with distillation. Y in the paper's L_b is the ground truth: its loss smooths no labels."""
        smoothing = 0.0 if distil.loss == "paper" else self.label_smoothing
        return replace(self, distil=distil, label_smoothing=smoothing)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for logs and checkpoints: the network's name and choices beside those of the training."""
        own = asdict(self)
        del own["network"]
        return networks.stored(self.network) | own

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Inverse of :meth:`to_dict`, also after a passage through JSON.

        A recipe from before scales could be chosen (docs/decisions/0017) has powers of two.

        Raises
        ------
        ConfigError
            When they are no recipe's values, or those of a version that had other choices.
        """
        from mksgn.training.distill import Distillation

        with typed(ConfigError, "this is no recipe of this version of mksgn", "", "use the version that wrote it"):
            values = {"scales": "power-of-two", **values}
            network = networks.chosen(tuples(dict(values)))
            given = {name: value for name, value in values.items() if name not in network.choices()}
            distil = given["distil"]
            return cls(**{**tuples(given), "network": network, "augment": Augment.from_dict(given["augment"]),
                          "distil": distil and Distillation(**tuples(distil))})


_TURNED = Augment(yaw=45.0, pitch=15.0, roll=10.0, mirror=0.5)
# One budget for every network compared on NW-UCLA (docs/decisions/0007); the scale of motions: 0008.
_NW_UCLA = Recipe(batch=16, epochs=50, tune_epochs=6, tune_lr=5e-5, augment=_TURNED, motion_range=0.15)
# The paper's training settings (Table 5).
_PAPER = Recipe(network=networks.PRESETS["paper"], modality=MODALITIES, batch=120, epochs=64, lr=0.1, optimiser="sgd",
                schedule="step", lr_step=50, lr_decay=0.1, weight_decay=1e-4, early_part=0.0, tune_lr=5e-5,
                augment=_TURNED)
_NTU60 = replace(_PAPER, network=networks.PRESETS["ntu60"], frames=64, persons=2, batch=60, tune_epochs=8)


def _nw_ucla(preset: str, **given: Any) -> Recipe:
    return replace(_NW_UCLA, network=networks.PRESETS[preset], **given)


PRESETS: dict[str, Recipe] = {
    # Does the package work, on a fresh machine? Synthetic skeletons, three small layers.
    "demo": Recipe(network=networks.PRESETS["demo"], frames=24, root_range=1.0, epochs=32, tune_epochs=2, batch=16,
                   lr=5e-3, weight_decay=0.01, augment=Augment(yaw=15.0, pitch=5.0, roll=3.0, crop=0.8)),
    # The paper's starting point.
    "base-sgn": _nw_ucla("base-sgn"),
    # MK-SGN, one modality.
    "mksgn": _nw_ucla("mksgn"),
    # Four modalities and a price on synaptic operations; chosen in docs/decisions/0007.
    "mksgn-4": _nw_ucla("mksgn-4", modality=MODALITIES, epochs=70, tune_epochs=8, synop_weight=0.5, synop_target=70e6),
    # For streams: no frame waits for a later one, and the network pads nothing. Clips are cut short and change their
    # pace, so that an action is known before its end, and most parts begin where the clip does; docs/decisions/0015.
    "mksgn-stream": replace(
        _nw_ucla("mksgn-stream", modality=MODALITIES, epochs=60, average_part=0.3, tune_epochs=0, coding="causal",
                 rate=30.0, frames=59), augment=replace(_TURNED, crop=0.4, onset=0.75, pace=0.5)),
    # MK-SGN on NW-UCLA as the paper prints it, which says nothing of the input: that is ours. Its loss has no terms but
    # Eq. 32, and its integers are rounded. An average has the rate to which the schedule steps down.
    # benchmarks/experiments/paper_rows.py changes one thing at a time.
    "paper": replace(_PAPER, motion_range=0.15, tune_epochs=0, label_smoothing=0.0, rate_weight=0.0, average_lr=0.01),
    # NTU RGB+D 60 and 120 with the paper's training settings (Table 5). Not trained here.
    "ntu60": _NTU60,
    "ntu120": replace(_NTU60, network=networks.PRESETS["ntu120"], batch=40),
    # The paper's spiking baselines, trained as mksgn is.
    "spikformer": _nw_ucla("spikformer"),
    "spike-driven": _nw_ucla("spike-driven"),
    # The same at Table 7's own size; for a GPU.
    "spikformer-256": _nw_ucla("spikformer-256", frames=64),
    "spike-driven-256": _nw_ucla("spike-driven-256", frames=64),
}
