"""Base-SGN (paper Table 7): ST-GCN's ten layers with LIF for ReLU, and no attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
class BaseSgnConfig(GraphConfig):
    """Base-SGN; its choices are those of :class:`~mksgn.networks.graph.GraphConfig`."""

    name: ClassVar[str] = "base-sgn"

    widths: tuple[int, ...] = (32, 32, 32, 32, 64, 64, 64, 128, 128, 128)
    strides: tuple[int, ...] = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)

    def populate(self, builder: PopulationBuilder) -> tuple[str, ...]:
        """The output of the last layer."""
        p = spike_coders(builder, self)
        for number, (width, stride) in enumerate(zip(self.widths, self.strides), start=1):
            p = st_gcn_layer(builder, self, f"block{number}", p, width, stride)
        return (p,)


def st_gcn_layer(builder: PopulationBuilder, config: BaseSgnConfig, name: str, p: str, width: int, stride: int) -> str:
    """Add SN(H W) (Eq. 5-7) and SN(BN(Con2d(...)) + residual), ST-GCN's layer; returns the name of the second.

    The residual is P itself, or its 1 x 1 convolution where the shape changes or P is no spike train.
    """
    before = builder.shape(p)
    shape = strided(config, before, width, stride)
    spatial = graph_convolution(builder, config, name, p, width)
    convolution = temporal_convolution(builder, config, (spatial,), width, stride)
    if before[0] == width and stride == 1 and builder.sends_spikes(p):
        residual = identity_residual(builder, config, (p,), shape[1])
    else:
        residual = strided_residual(builder, config, (p,), width, stride)
    return builder.population(f"{name}.stc", shape, [convolution, residual])


PRESETS: dict[str, BaseSgnConfig] = {
    # Half of Table 7's widths.
    "base-sgn": BaseSgnConfig(time_steps=2, surrogate_width=2.0),
}
