"""What determines the shape of a network."""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.errors import ConfigError
from mksgn.limits import check_limits
from mksgn.nn.cuba import Surrogate
from mksgn.nn.fusion import FUSIONS
from mksgn.nn.tokens import check_transformer
from mksgn.skeleton import Body

GRAPH_CONVS = ("layer", "learned", "fused")


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """Everything that determines the shape of a network.

    Parameters
    ----------
    body : Body
        Joint graph of one person.
    classes, frames, persons, time_steps : int
        Output classes, video frames after resampling, persons (folded into the joint axis), and T.
    widths, strides : tuple of int
        Channels and temporal stride of each layer.
    channels_in : int
        Coordinates per joint and modality.
    modalities : tuple of str
        What the input holds, modality after modality on its channel axis. Several have a spike coder each.
    fusion : 'smf', 'fixed' or 'sum'
        How several coders become one P (:mod:`mksgn.nn.fusion`): weighed by mutual information, sample by sample; by
        ``fusion_weights``; or added up. Only fixed weights can be quantised ('sum': all 1).
    fusion_weights : tuple of float, optional
        Of 'fixed', one per modality.
    coder_width : int, optional
        Channels of each spike coder; by default those of the first layer.
    attention : bool
        SG-SA in every layer (MK-SGN), or none (Base-SGN).
    graph_conv : 'layer', 'learned' or 'fused'
        Joint mixing as a population of its own; the same with weights between all joints that training starts from S
        and changes (as the adaptive graph of 2s-AGCN, arXiv 1805.07694); or S (x) W in one synapse.
    temporal_kernel : int
        Frames of the temporal convolution, odd.
    current_decay, voltage_decay : float
        Lost per step; 1.0 and 0.75 make the paper's LIF.
    surrogate_width : float
        a of the rectangular surrogate gradient (Table 4: 1), in thresholds; its height is 1 / a. Training only.
    dropout : float
        On the spikes before FC, in training.
    segments : int
        Parts of the sequence, of equal length, that GAP averages apart (Eq. 14 has one): FC then knows when.
    residual_synapses : int
        Parallel synapses that the identity residual of a temporal convolution is made of, a power of two. Integers: the
        population's scale, and with it the steps of the trained weights, may be as much finer. 1 in nets from before.
    transformer : 'spikformer', 'spike-driven' or ''
        A spiking transformer of one width instead of the graph convolutional layers; every joint of every frame is a
        token. It reads one modality. ``attention`` and ``temporal_kernel`` then mean nothing.
    heads : int
        Of Spikformer's attention.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`), or choices contradict each other.
    """

    body: Body
    classes: int
    frames: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    persons: int = 1
    time_steps: int = 4
    channels_in: int = 3
    attention: bool = True
    graph_conv: str = "layer"
    temporal_kernel: int = 9
    current_decay: float = 1.0
    voltage_decay: float = 0.75
    surrogate_width: float = 1.0
    dropout: float = 0.0
    modalities: tuple[str, ...] = ("joint",)
    fusion: str = "sum"
    fusion_weights: tuple[float, ...] | None = None
    coder_width: int | None = None
    segments: int = 1
    residual_synapses: int = 1
    transformer: str = ""
    heads: int = 8

    def __post_init__(self) -> None:
        check_limits(self, options=False)
        self._check_fusion()
        if self.transformer:
            check_transformer(self)
        if len(self.widths) != len(self.strides) or not self.widths:
            raise ConfigError("widths and strides must pair up", got=f"{self.widths} and {self.strides}")
        if self.graph_conv not in GRAPH_CONVS:
            raise ConfigError("unknown graph_conv", got=self.graph_conv, allowed=", ".join(GRAPH_CONVS))
        if self.temporal_kernel % 2 == 0:
            raise ConfigError("temporal_kernel must be odd", got=str(self.temporal_kernel))

    @property
    def surrogate(self) -> Surrogate:
        """Of every population, but those that mix joints."""
        return Surrogate(width=self.surrogate_width, height=1 / self.surrogate_width)

    def _check_fusion(self) -> None:
        several = len(self.modalities) > 1
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ConfigError("modalities must be different, and at least one", got=str(self.modalities))
        if self.fusion not in FUSIONS:
            raise ConfigError("unknown fusion", got=self.fusion, allowed=", ".join(FUSIONS))
        if not several and self.fusion != "sum":
            raise ConfigError("one modality has nothing to be fused with", "--fusion", self.fusion, "sum",
                              "name several modalities with --modality, or give --fusion sum")
        if (self.fusion == "fixed") != (self.fusion_weights is not None):
            raise ConfigError("fusion weights belong to fusion 'fixed', and it to them", "--fusion, --fusion-weights",
                              f"fusion {self.fusion}, weights {self.fusion_weights}",
                              fix="give --fusion fixed and --fusion-weights together, or neither")
        if self.fusion_weights is not None:
            if len(self.fusion_weights) != len(self.modalities):
                raise ConfigError("fusion weights must be one number per modality", "--fusion-weights",
                                  str(self.fusion_weights), f"{len(self.modalities)} numbers")
        if self.fusion == "smf" and self.time_steps < 2:
            raise ConfigError("mutual information needs time steps to shuffle", "--time-steps", str(self.time_steps),
                              "2 or more")
