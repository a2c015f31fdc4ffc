"""The common part of the two graph convolutional networks: choices, graph convolution (Eq. 5-7), temporal branches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mksgn.errors import ConfigError
from mksgn.nn.config import CODER_FRAMES, NetworkConfig
from mksgn.skeleton import spatial_partitions

if TYPE_CHECKING:
    from typing_extensions import Self

    from mksgn.nn.builder import PopulationBuilder
    from mksgn.nn.projections import Projection


@dataclass(frozen=True, kw_only=True)
class GraphConfig(NetworkConfig):
    """Choices of a graph convolutional network; those that all networks have are in :class:`NetworkConfig`.

    Parameters
    ----------
    strides : tuple of int
        Temporal stride of each layer.
    graph_conv : 'layer', 'learned' or 'fused'
        Joint mixing as a population of its own (layer); the same with trained weights between all joints, which start
        from S, as in the adaptive graph of 2s-AGCN, arXiv 1805.07694 (learned); or S (x) W inside one synapse (fused).
    temporal_kernel : int
        Frames of the temporal convolution, odd.
    temporal_padding : 'zeros' or 'none'
        What a temporal convolution reads beyond the ends of a clip: zeros; or nothing, so that frames grow fewer from
        layer to layer and each looks back only. Such a network can run on a stream without ends
        (:func:`mksgn.ir.streaming.continuous`).
    residual_synapses : int
        Parallel synapses of a temporal convolution's residual, a power of two: 4 leave its trained weights two bits
        more when they are rounded.
    coder_width : int, optional
        Channels of each spike coder; by default as many as the first layer has.
    fusion : 'smf', 'fixed' or 'sum'
        How several modalities become one: weighed by mutual information, sample by sample (smf; before quantisation
        the weights are fixed at their means over the training set); by the fusion weights (fixed); or added up (sum).
    fusion_weights : tuple of float, optional
        One number per modality, for fusion 'fixed'.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`), or choices contradict each other. It names options.
    """

    strides: tuple[int, ...] = (1, 1, 2, 1, 2, 1)
    graph_conv: Literal["layer", "learned", "fused"] = "layer"
    temporal_kernel: int = 9
    temporal_padding: Literal["zeros", "none"] = "zeros"
    residual_synapses: int = 1
    coder_width: int | None = None
    fusion: Literal["smf", "fixed", "sum"] = "sum"
    fusion_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != len(self.strides):
            raise ConfigError("every layer has one width and one stride", where="--widths, --strides",
                              got=f"{len(self.widths)} widths, {len(self.strides)} strides",
                              fix="give one number per layer of the preset, or both options")
        if self.temporal_kernel % 2 == 0:
            raise ConfigError("a temporal convolution is centred on a frame", "--temporal-kernel",
                              str(self.temporal_kernel), "odd numbers")
        if (self.fusion == "fixed") != (self.fusion_weights is not None):
            raise ConfigError("--fusion fixed and --fusion-weights need each other", "--fusion, --fusion-weights",
                              f"fusion {self.fusion}, weights {self.fusion_weights}",
                              fix="give both, or neither")
        if self.time_steps < self.fewest_steps:
            raise ConfigError("mutual information needs time steps to shuffle", "--fusion smf, --time-steps",
                              str(self.time_steps), "2 or more", "give more --time-steps, or --fusion sum")

    @property
    def fewest_steps(self) -> int:
        return 2 if self.fusion == "smf" else 1

    @property
    def padded(self) -> bool:
        """Whether temporal convolutions keep the number of frames."""
        return self.temporal_padding == "zeros"

    @property
    def residual_window(self) -> int:
        """Frames of a layer's window, of which a residual reads the last."""
        return 1 if self.padded else self.temporal_kernel

    @property
    def residual_tap(self) -> int:
        """The tap of a temporal kernel that reads the frame of the residual."""
        return self.temporal_kernel // 2 if self.padded else self.temporal_kernel - 1

    def frames_read(self, features: int) -> int:
        """Frames of a sample from which a network without temporal padding makes so many ``features``."""
        for stride in reversed(self.strides):
            features = (features - 1) * stride + self.temporal_kernel
        return features + CODER_FRAMES - 1

    def check_frames(self, frames: int) -> None:
        """Refuse samples that a network without temporal padding would not read whole.

        Raises
        ------
        ConfigError
        """
        if self.padded:
            return
        fits = [self.frames_read(self.segments * each) for each in range(1, 2 + frames // self.segments)]
        if frames not in fits:
            near = [each for each in fits if each < frames][-2:] + [each for each in fits if each > frames][:2]
            raise ConfigError("a network without temporal padding reads a whole number of windows", "--frames",
                              str(frames), ", ".join(map(str, near)) + ", ...", "give such --frames, or a smaller "
                              "--temporal-kernel")

    @property
    def coder_channels(self) -> int:
        """Channels of each spike coder."""
        return self.coder_width or self.widths[0]

    def check_modalities(self, modalities: tuple[str, ...]) -> None:
        if len(modalities) == 1 and self.fusion != "sum":
            raise ConfigError("one modality has nothing to be fused with", "--fusion", self.fusion, "sum",
                              "name several modalities with --modality, or give --fusion sum")
        if self.fusion_weights is not None and len(self.fusion_weights) != len(modalities):
            raise ConfigError("fusion weights must be one number per modality", "--fusion-weights",
                              str(self.fusion_weights), f"{len(modalities)} numbers")

    def with_fusion_weights(self, weights: tuple[float, ...]) -> Self:
        return replace(self, fusion="fixed", fusion_weights=weights)


def spike_coders(builder: PopulationBuilder, config: GraphConfig) -> str:
    """P (Eq. 3-4) of one modality, or P_fuse (Eq. 16-24) of several."""
    config.check_frames(builder.data.frames)
    return builder.spike_coders(config.coder_channels, config.fusion, config.fusion_weights, config.padded)


def graph_convolution(builder: PopulationBuilder, config: GraphConfig, name: str, source: str, width: int) -> str:
    r"""Add SN(H W), the second term of Eq. 7 (Table 6: SA-SGC_lif2); returns its name.

    .. math::
        S = \tilde D^{-1/2} \tilde A \tilde D^{1/2} \qquad (5) \qquad
        H = S^K P \qquad (6) \qquad
        SN(H W) \qquad (7)

    K = 1, and S is one of ST-GCN's three spatial partitions at a time, its rows normalised
    (:func:`mksgn.skeleton.spatial_partitions`); BN stands before SN. H of the two partitions that hold neighbours is a
    population of its own (``NAME.mix``), or never formed (``fused``).
    """
    shape = (width, *builder.shape(source)[1:])
    partitions = spatial_partitions(builder.data.body.repeat(builder.data.persons))
    if config.graph_conv == "fused":
        return builder.population(f"{name}.lif2", shape, [builder.graph_conv(source, width, partitions)])
    # Partition 0 is the joint itself: it needs no mixing.
    mixed = builder.mix_joints(f"{name}.mix", source, partitions[1:], trained=config.graph_conv == "learned")
    return builder.population(f"{name}.lif2", shape, [builder.conv((source,), width), builder.conv((mixed,), width)])


def temporal_convolution(builder: PopulationBuilder, config: GraphConfig, sources: tuple[str, ...], width: int,
                         stride: int) -> Projection:
    """Con2d of Eq. 11 and 13, over frames, of the sum of ``sources``."""
    return builder.conv(sources, width, kernel=config.temporal_kernel, stride=stride, padded=config.padded)


def identity_residual(builder: PopulationBuilder, config: GraphConfig, sources: tuple[str, ...],
                      frames: int) -> Projection:
    """The spikes of ``sources`` past the batch norm, each as much as the whole threshold, in ``frames`` frames."""
    window = config.residual_window if builder.shape(sources[0])[1] != frames else 1
    return builder.one_to_one(sources, parallel=config.residual_synapses, last_of=window)


def strided_residual(builder: PopulationBuilder, config: GraphConfig, sources: tuple[str, ...], width: int,
                     stride: int) -> Projection:
    """A trained convolution of single frames of ``sources``, as many as the temporal convolution makes."""
    return builder.conv(sources, width, stride=stride, last_of=config.residual_window)


def strided(config: GraphConfig, shape: tuple[int, int, int], width: int, stride: int) -> tuple[int, int, int]:
    """(C, F, V) after a temporal convolution."""
    read = 1 if config.padded else config.temporal_kernel
    return width, (shape[1] - read) // stride + 1, shape[2]
