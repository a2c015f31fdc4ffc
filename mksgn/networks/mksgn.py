r"""MK-SGN (paper Table 7): six layers of self-attention spiking graph convolution and spiking temporal convolution.

.. math::
    H_0 &= SN(P) + SN(H W^{(0)}) \qquad (7) \\
    Q, K &= SN(BN(H_0 W_Q)), SN(BN(H_0 W_K)) \qquad (8) \\
    V &= SN(BN(H W_V)) \qquad (9) \\
    H_{SA} &= H_0 + SN(Q K^T V \cdot s) \qquad (10) \\
    T^{(0)} &= SN(BN(Con2d(H_{SA}^{(0)})) + SN(H_{SA}^{(0)})) \qquad (11) \\
    H_{SA}^{(l)} &= SN(T^{(l-1)}) + SN(H_{SA}^{(l-1)} W^{(l-1)}) \qquad (12) \\
    T^{(l)} &= SN(BN(Con2d(H_{SA}^{(l)})) + SN(H_{SA}^{(l)})) \qquad (13)

A sum of spike trains is never formed on a chip: each of its terms projects through the same weights. How the equations
become populations, and why: docs/decisions/0001-how-the-paper-is-read.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from mksgn.errors import ConfigError
from mksgn.networks.graph import (
    GraphConfig,
    graph_convolution,
    identity_residual,
    spike_coders,
    strided,
    strided_residual,
    temporal_convolution,
)

if TYPE_CHECKING:
    from mksgn.nn.builder import PopulationBuilder


@dataclass(frozen=True, kw_only=True)
class MkSgnConfig(GraphConfig):
    """MK-SGN; most of its choices are those of :class:`~mksgn.networks.graph.GraphConfig`.

    Parameters
    ----------
    attention : 'mask' or 'qkv'
        SG-SA (paper Eq. 10) as q AND SN(sum over joints of k AND v), spikes only (mask); or as printed, SN(Q K^T V s),
        with graded messages of product neurons, which many cores hold (qkv).
    heads : int
        Heads of --attention qkv, or of Spikformer's attention, which divide the widths; the paper's MK-SGN has 1.
    """

    name: ClassVar[str] = "mksgn"

    attention: Literal["mask", "qkv"] = "mask"
    heads: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attention not in ("mask", "qkv"):
            raise ConfigError("unknown attention", "--attention", repr(self.attention), "mask or qkv")
        if self.attention == "mask" and self.heads != 1:
            raise ConfigError("masks have no heads: every channel is alike", "--heads", str(self.heads), "1",
                              "leave out --heads, or give --attention qkv")
        undivided = [width for width in self.widths if width % self.heads]
        if undivided:
            raise ConfigError("heads must divide every width", "--widths, --heads",
                              f"{self.heads} heads, width {undivided[0]}", f"multiples of {self.heads}",
                              "give other --widths or --heads")

    def populate(self, builder: PopulationBuilder) -> tuple[str, ...]:
        """T of the last layer."""
        p = spike_coders(builder, self)
        for number, (width, stride) in enumerate(zip(self.widths, self.strides), start=1):
            h_sa = sa_sgc(builder, self, f"block{number}", p, width)
            p = stc(builder, self, f"block{number}", h_sa, width, stride)
        return (p,)


def sa_sgc(builder: PopulationBuilder, config: MkSgnConfig, name: str, p: str, width: int) -> tuple[str, str, str]:
    """Add SA-SGC (Eq. 5-10; Table 6: SA-SGC_lif1, SA-SGC_lif2, SG-SA); returns the three terms of H_SA.

    The first term, SN(P) (in the later layers SN(T) of Eq. 12), is P itself where the width stays: a spike train
    through a unit LIF is that train. Where the width changes it is a 1 x 1 convolution, and also where P is fused from
    several modalities and so is no spike train.
    """
    lif1 = p
    if builder.shape(p)[0] != width or not builder.sends_spikes(p):
        lif1 = builder.linear(f"{name}.lif1", (p,), width)
    lif2 = graph_convolution(builder, config, name, p, width)
    return lif1, lif2, sg_sa(builder, config, f"{name}.sgsa", (lif1, lif2), width)


def sg_sa(builder: PopulationBuilder, config: MkSgnConfig, name: str, h0: tuple[str, str], width: int) -> str:
    """Add SG-SA (Eq. 8-10), SN(Q K^T V s); returns its name.

    In its spike-driven form it is q AND SN(BN(sum over joints of k AND v)); as printed, SN(BN(Q K^T V)), where batch
    norm finds s. Table 6: SG-SA_lifx, lifq, lifk, lifv and lifkv. x is H_0 as a spike train, lif1 OR lif2; V reads it
    like Q and K.
    """
    x = builder.either(f"{name}.x", *h0)
    if config.attention == "qkv":
        queries = builder.queries(name, (x,), width)
        return builder.product(f"{name}.out", queries, config.heads, across_frames=False)
    q, k_and_v = builder.masked_queries(name, x, width)
    kv = builder.sum_joints(f"{name}.kv", k_and_v)
    return builder.mask_joints(f"{name}.out", q, kv)


def stc(builder: PopulationBuilder, config: MkSgnConfig, name: str, h_sa: tuple[str, str, str], width: int,
        stride: int) -> str:
    """Add STC (Eq. 11 and 13; Table 6: STC_lif, STC_res_lif), SN(BN(Con2d(H_SA)) + SN(H_SA)); returns its name.

    SN(H_SA) is H_SA itself, or a strided LIF where the number of frames shrinks.
    """
    shape = strided(config, builder.shape(h_sa[0]), width, stride)
    convolution = temporal_convolution(builder, config, h_sa, width, stride)
    residual: tuple[str, ...] = h_sa
    if stride > 1:
        single = strided_residual(builder, config, h_sa, width, stride)
        residual = (builder.population(f"{name}.res", shape, [single]),)
    past = identity_residual(builder, config, residual, shape[1])
    return builder.population(f"{name}.stc", shape, [convolution, past])


_NW_UCLA = MkSgnConfig(time_steps=2, surrogate_width=2.0, graph_conv="learned", segments=2, coder_width=64)
_NTU = MkSgnConfig(widths=(64, 64, 128, 128, 256, 256), fusion="smf", dropout=0.3)

PRESETS: dict[str, MkSgnConfig] = {
    # Three small layers. One step and a wide surrogate, as in the pair that we ship, learn more than four steps and the
    # paper's width, in a third of the time.
    "demo": MkSgnConfig(widths=(16, 16, 32), strides=(1, 2, 2), time_steps=1, surrogate_width=2.0, residual_synapses=4,
                        dropout=0.0),
    # Half of Table 7's widths.
    "mksgn": _NW_UCLA,
    # For four modalities, added up: SMF (--fusion smf) learns more slowly and ends at the same accuracy. Residuals of
    # four synapses: docs/decisions/0010.
    "mksgn-4": replace(_NW_UCLA, coder_width=48, residual_synapses=4),
    # A stream without ends: it decides at every frame, from the last 59.
    "mksgn-stream": replace(_NW_UCLA, coder_width=48, residual_synapses=4, time_steps=1, temporal_kernel=5,
                            temporal_padding="none"),
    # As printed: four time steps, SMF, Eq. 10, Table 4's neuron; at half of Table 7's widths.
    "paper": MkSgnConfig(fusion="smf", attention="qkv", dropout=0.3),
    # Table 7's widths.
    "ntu60": _NTU,
    "ntu120": _NTU,
}
