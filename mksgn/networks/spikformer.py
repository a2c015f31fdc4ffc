"""Spikformer (Zhou et al., ICLR 2023) on skeletons, paper Table 7: attention by integer products of spike matrices.

Residuals add spikes, x = x + SSA(x), so x is a small count. As everywhere here that sum is never formed on a chip: all
its terms project through the same weights. Attention multiplies computed numbers (:mod:`mksgn.nn.product`), which takes
product neurons (docs/decisions/0016-attention-as-printed.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from mksgn.errors import ConfigError
from mksgn.networks.transformer import MLP_RATIO, TransformerConfig

if TYPE_CHECKING:
    from mksgn.nn.builder import PopulationBuilder


@dataclass(frozen=True, kw_only=True)
class SpikformerConfig(TransformerConfig):
    """Spikformer; the choices that all networks have are in :class:`~mksgn.nn.config.NetworkConfig`.

    Parameters
    ----------
    heads : int
        Heads of the attention, which divide the width.
    """

    name: ClassVar[str] = "spikformer"

    heads: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise ConfigError("heads must divide the width", "--widths", f"{self.heads} heads, width {self.width}",
                              f"multiples of {self.heads}", "give other --widths or --heads")

    def populate(self, builder: PopulationBuilder) -> tuple[str, ...]:
        """All populations whose spikes add up to the last x: SPS, then SSA and MLP of every block."""
        x: tuple[str, ...] = (builder.spike_coders(self.width),)
        for number in range(1, len(self.widths) + 1):
            x = (*x, ssa(builder, f"block{number}.ssa", x, self.width, self.heads))
            hidden = builder.linear(f"block{number}.mlp.h", x, MLP_RATIO * self.width)
            x = (*x, builder.linear(f"block{number}.mlp.out", (hidden,), self.width))
        return x


def ssa(builder: PopulationBuilder, name: str, x: tuple[str, ...], width: int, heads: int) -> str:
    """Add spiking self-attention, SN(BN(W SN(BN(Q K^T V)))); returns the name of its projection."""
    attended = builder.product(f"{name}.qkv", builder.queries(name, x, width), heads, across_frames=True)
    return builder.linear(f"{name}.proj", (attended,), width)


_QUARTER = SpikformerConfig(time_steps=2, surrogate_width=2.0)

PRESETS: dict[str, SpikformerConfig] = {
    # A quarter of Table 7's width: on a CPU a step of these costs about twice one of mksgn, because no frame is ever
    # dropped.
    "spikformer": _QUARTER,
    # Table 7's own size, 4.78 M parameters on NTU60; for a GPU.
    "spikformer-256": replace(_QUARTER, widths=(256,) * 6, time_steps=4),
}
