"""Training recipes: every choice of a run in one frozen dataclass, and the presets users start from."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mksgn.data.pack import Pack
from mksgn.data.preprocess import MODALITIES, Augment, Preprocess, tuples
from mksgn.errors import ConfigError, typed
from mksgn.limits import check_limits
from mksgn.nn import NetConfig
from mksgn.nn.tokens import TRANSFORMERS
from mksgn.training.averaged_tail import AveragedTail
from mksgn.training.distill import Distillation

NETWORKS = ("mksgn", "base-sgn", *TRANSFORMERS)


@dataclass(frozen=True, kw_only=True)
class Recipe(AveragedTail):
    """All choices of one training run.

    Parameters
    ----------
    network : 'mksgn', 'base-sgn', 'spikformer' or 'spike-driven'
        Paper Table 7: with or without spiking attention (SA-SGC), or a transformer over joints and frames.
    widths, strides : tuple of int
        Channels and temporal stride of each layer; a transformer has one width and stride 1.
    frames, persons, modality, root_range, motion_range : preprocessing, see :class:`~mksgn.data.preprocess.Preprocess`.
    fusion, fusion_weights, coder_width
        Of several modalities, see :class:`~mksgn.nn.NetConfig`. 'smf' weighs them sample by sample in floating point;
        before quantisation the weights are fixed at their means over the training set.
    estimator_lr : float
        Of the Adam that trains SMF's estimator, constant.
    time_steps : int
        T.
    surrogate_width : float
        a of the surrogate gradient, in thresholds; the paper's is 1.
    graph_conv : 'layer', 'learned' or 'fused'
    segments : int
        Parts of the sequence that the head averages apart.
    residual_synapses : int
        Parallel synapses of a residual, see :class:`~mksgn.nn.NetConfig`.
    epochs, tune_epochs : int
        Float training, then quantised fine-tuning.
    passes : int
        Times an epoch goes through the training set.
    batch : int
        Samples per step, over all processes.
    lr, tune_lr, weight_decay, label_smoothing, dropout : float
        Peak rate in floating point; then, with AdamW, a cosine from ``tune_lr``.
    optimiser : 'adamw' or 'sgd'
        Of the float stage; SGD has momentum 0.9.
    schedule : 'one-cycle' or 'step'
        'step' multiplies the rate by ``lr_decay`` from float epoch ``lr_step`` on.
    lr_step, lr_decay : int, float
    early_steps, early_part : int, float
        The first ``early_part`` of the float epochs runs with T = ``early_steps``: half the cost, and the
        weights carry over because the head averages over T.
    average_part, average_lr : float
        The last ``average_part`` of the float epochs has the constant rate ``average_lr``, reached within one epoch;
        then the weights are averaged over all steps (:mod:`mksgn.training.averaging`). 'one-cycle' is over before.
    rate_weight, rate_target : float
        Firing-rate regularisation: rate_weight * mean over populations of max(rate - rate_target, 0).
    synop_weight, synop_target : float
        Synop regularisation: synop_weight * max(S / synop_target - 1, 0), S being the synaptic operations expected of
        one sample over all T steps (:mod:`mksgn.nn.synops`: every spike weighted by its fan-out). ``synop_target`` is
        in operations per sample; a weight of 1 makes twice the target cost as much as 1 nat of cross-entropy.
    integers : 'agreeing' or 'tuned'
        Which integers a run with fine-tuning ends with: those that agree more often with the float network on training
        samples, fine-tuned or only rounded (:func:`mksgn.training.integers.settled`); or the fine-tuned.
    augment : Augment
        Random changes of the training samples.
    mixup : float
        alpha of mixup, in both stages; 0: samples are not mixed. See :class:`~mksgn.training.batches.Batches`.
    distil : Distillation or None
        How trained networks teach this one, in both stages.
    seed : int
        Of initialisation, order and augmentation.
    val_subjects : tuple of int or None
        Training subjects held out for validation; None: one fifth of them, chosen by the seed; empty: none.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`), or choices contradict each other.
    """

    network: str = "mksgn"
    widths: tuple[int, ...] = (32, 32, 64, 64, 128, 128)
    strides: tuple[int, ...] = (1, 1, 2, 1, 2, 1)
    frames: int = 32
    persons: int = 1
    modality: str | tuple[str, ...] = "joint"
    root_range: float = 3.0
    motion_range: float = 0.0
    fusion: str = "sum"
    fusion_weights: tuple[float, ...] | None = None
    coder_width: int | None = None
    estimator_lr: float = 1e-3
    time_steps: int = 4
    surrogate_width: float = 1.0
    graph_conv: str = "layer"
    segments: int = 1
    residual_synapses: int = 1
    epochs: int = 70
    tune_epochs: int = 15
    passes: int = 1
    batch: int = 32
    lr: float = 3e-3
    tune_lr: float = 3e-4
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    dropout: float = 0.1
    optimiser: str = "adamw"
    schedule: str = "one-cycle"
    lr_step: int = 50
    lr_decay: float = 0.1
    early_steps: int = 2
    early_part: float = 0.7
    average_part: float = 0.0
    average_lr: float = 1e-3
    rate_weight: float = 0.1
    rate_target: float = 0.1
    synop_weight: float = 0.0
    synop_target: float = 100e6
    integers: str = "agreeing"
    augment: Augment = field(default_factory=Augment)
    mixup: float = 0.0
    val_subjects: tuple[int, ...] | None = None
    distil: Distillation | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (("network", NETWORKS), ("optimiser", ("adamw", "sgd")),
                              ("schedule", ("one-cycle", "step")), ("integers", ("agreeing", "tuned"))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"unknown {name}", got=str(getattr(self, name)), allowed=", ".join(allowed))
        check_limits(self)
        if len(self.widths) != len(self.strides):
            raise ConfigError("widths do not fit the preset", where="--widths", got=" ".join(map(str, self.widths)),
                              allowed=f"{len(self.strides)} numbers", fix="give one number per layer of the preset")
        if self.mixup and self.distil and self.distil.soft_labels == "cached":
            raise ConfigError("nobody has asked the teachers about mixed samples", where="--mixup, --soft-labels",
                              got=f"{self.mixup}, cached", fix="use --soft-labels online, or no --mixup")
        if self.fusion == "smf" and min(self.early_steps, self.time_steps) < 2:
            raise ConfigError("mutual information needs time steps to shuffle", where="--fusion smf, --time-steps",
                              got=str(min(self.early_steps, self.time_steps)), allowed="2 or more",
                              fix="give more --time-steps, or --fusion sum")

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities, one or several."""
        return (self.modality,) if isinstance(self.modality, str) else self.modality

    def preprocess(self, pack: Pack) -> Preprocess:
        """Deterministic preprocessing for ``pack``; bodies with named hips and shoulders are turned to face one way."""
        return Preprocess(frames=self.frames, persons=self.persons, modality=self.modality,
                          lateral=lateral_joints(pack), root_range=self.root_range,
                          motion_range=self.motion_range)

    def augmentation(self, pack: Pack) -> Augment:
        """Augmentation for ``pack``; only bodies that name left and right joints are mirrored."""
        mirrored = mirrored_joints(pack)
        return replace(self.augment, mirror=self.augment.mirror if mirrored else 0.0, mirrored=mirrored)

    def steps_at(self, stage: str, epoch: int) -> int:
        """T of an epoch."""
        early = stage == "float" and epoch < self.early_part * self.epochs
        return min(self.early_steps, self.time_steps) if early else self.time_steps

    def net_config(self, pack: Pack) -> NetConfig:
        """Shape of the network for ``pack``: joints and classes follow from the data."""
        return NetConfig(
            body=pack.body, classes=len(pack.class_names), frames=self.frames, widths=self.widths, strides=self.strides,
            persons=self.persons, time_steps=self.time_steps, attention=self.network == "mksgn",
            graph_conv=self.graph_conv, segments=self.segments,
            residual_synapses=self.residual_synapses, surrogate_width=self.surrogate_width,
            dropout=self.dropout, modalities=self.modalities, fusion=self.fusion,
            fusion_weights=self.fusion_weights, coder_width=self.coder_width,
            transformer=self.network if self.network in TRANSFORMERS else "")

    def with_options(self, **given: Any) -> Recipe:
        """A copy with every option that is not None replaced."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def taught(self, distil: Distillation) -> Recipe:
        """A copy with distillation. Y in the paper's L_b is the ground truth: its loss smooths no labels."""
        smoothing = 0.0 if distil.loss == "paper" else self.label_smoothing
        return replace(self, distil=distil, label_smoothing=smoothing)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for logs and checkpoints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Inverse of :meth:`to_dict`, also after a passage through JSON.

        Raises
        ------
        ConfigError
            When they are no recipe's values, or those of a version that had other choices.
        """
        with typed(ConfigError, "this is no recipe of this version of mksgn", "", "use the version that wrote it"):
            distil = values["distil"]
            return cls(**{**tuples(values), "augment": Augment.from_dict(values["augment"]),
                          "distil": distil and Distillation(**tuples(distil))})


def lateral_joints(pack: Pack) -> tuple[tuple[int, int], ...]:
    """(left, right) pairs of shoulders and hips by joint name; empty when the pack names no such joints."""
    index = {name.lower().replace("-", "_").replace(" ", "_"): i for i, name in enumerate(pack.joint_names or ())}
    pairs = []
    for part in ("shoulder", "hip"):
        for left, right in ((f"{part}_left", f"{part}_right"), (f"left_{part}", f"right_{part}")):
            if left in index and right in index:
                pairs.append((index[left], index[right]))
    return tuple(pairs)


def mirrored_joints(pack: Pack) -> tuple[int, ...]:
    """The joint that takes each joint's place in a mirror, by joint name; empty without left and right."""
    names = [name.lower() for name in pack.joint_names or ()]
    sides = {"left": "right", "right": "left"}
    opposite = [re.sub("left|right", lambda side: sides[side[0]], name) for name in names]
    if opposite == names or not set(opposite) <= set(names):
        return ()
    return tuple(names.index(name) for name in opposite)


_TURNED = Augment(yaw=45.0, pitch=15.0, roll=10.0, mirror=0.5)
# One budget for every network compared on NW-UCLA (docs/decisions/0007); the scale of motions: 0008.
_NW_UCLA = Recipe(time_steps=2, surrogate_width=2.0, batch=16, epochs=50, tune_epochs=6, tune_lr=5e-5, augment=_TURNED,
                  motion_range=0.15)
_MKSGN = replace(_NW_UCLA, graph_conv="learned", segments=2, coder_width=64)
_NTU60 = Recipe(
    widths=(64, 64, 128, 128, 256, 256), strides=(1, 1, 2, 1, 2, 1), frames=64, persons=2, modality=MODALITIES,
    fusion="smf", batch=60, epochs=64, lr=0.1, optimiser="sgd", schedule="step", lr_step=50, lr_decay=0.1,
    weight_decay=1e-4, dropout=0.3, early_part=0.0, tune_epochs=8, tune_lr=5e-5, augment=_TURNED)
_QUARTER_TRANSFORMER = replace(_NW_UCLA, widths=(64,) * 6, strides=(1,) * 6)
_TABLE_7_TRANSFORMER = replace(_QUARTER_TRANSFORMER, widths=(256,) * 6, frames=64, time_steps=4)

PRESETS: dict[str, Recipe] = {
    # Does the package work, on a fresh machine? Synthetic skeletons, three small layers. One step and a wide surrogate,
    # as in the pair that we ship, learn more than four steps and the paper's width, in a third of the time.
    "demo": Recipe(widths=(16, 16, 32), strides=(1, 2, 2), frames=24, root_range=1.0, time_steps=1, surrogate_width=2.0,
                   residual_synapses=4, epochs=32, tune_epochs=2, batch=16, lr=5e-3, weight_decay=0.01, dropout=0.0,
                   augment=Augment(yaw=15.0, pitch=5.0, roll=3.0, crop=0.8)),
    # The paper's starting point: ST-GCN's ten layers with LIF for ReLU.
    "base-sgn": replace(_NW_UCLA, network="base-sgn", widths=(32, 32, 32, 32, 64, 64, 64, 128, 128, 128),
                        strides=(1, 1, 1, 1, 2, 1, 1, 2, 1, 1)),
    # MK-SGN, one modality, half of Table 7's widths.
    "mksgn": _MKSGN,
    # Four modalities and a price on synaptic operations; chosen in docs/decisions/0007. The coders are added up: SMF
    # (--fusion smf) learns more slowly and ends at the same accuracy. Residuals of four synapses: 0010.
    "mksgn-4": replace(_MKSGN, modality=MODALITIES, fusion="sum", coder_width=48, epochs=70, tune_epochs=8,
                       synop_weight=0.5, synop_target=70e6, residual_synapses=4),
    # NTU RGB+D 60 and 120 with the paper's widths (Table 7) and training settings (Table 5). Not trained here.
    "ntu60": _NTU60,
    "ntu120": replace(_NTU60, batch=40),
    # The paper's spiking baselines, trained as mksgn is. A quarter of Table 7's width: on a CPU a step of these costs
    # about twice one of mksgn, because no frame is ever dropped.
    "spikformer": replace(_QUARTER_TRANSFORMER, network="spikformer"),
    "spike-driven": replace(_QUARTER_TRANSFORMER, network="spike-driven"),
    # Table 7's own size, 4.78 M parameters on NTU60; for a GPU.
    "spikformer-256": replace(_TABLE_7_TRANSFORMER, network="spikformer"),
    "spike-driven-256": replace(_TABLE_7_TRANSFORMER, network="spike-driven"),
}
