"""Spike-driven Transformer (Yao et al., NeurIPS 2023) on skeletons, paper Table 7: attention by masks and additions.

Its residual path adds synaptic currents, not spikes: :mod:`mksgn.nn.shortcut` has the equations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from mksgn.networks.transformer import MLP_RATIO, TransformerConfig

if TYPE_CHECKING:
    from mksgn.nn.builder import PopulationBuilder


@dataclass(frozen=True, kw_only=True)
class SpikeDrivenConfig(TransformerConfig):
    """Spike-driven Transformer; its choices are those that all networks have."""

    name: ClassVar[str] = "spike-driven"

    def populate(self, builder: PopulationBuilder) -> tuple[str, ...]:
        """LIF(U) after the last block."""
        x = start = builder.spike_coders(self.width)
        count = len(self.widths)
        # All branches together begin with the variance of one: U then stays where the surrogate passes gradients.
        gain = (2 * count) ** -0.5
        for number in range(1, count + 1):
            attended = sdsa(builder, f"block{number}.sdsa", x, self.width)
            x = builder.shortcut(f"block{number}.mlp.x", attended, start, self.width, gain)
            hidden = builder.linear(f"block{number}.mlp.h", (x,), MLP_RATIO * self.width)
            follower = f"block{number + 1}.x" if number < count else "head.x"
            x = builder.shortcut(follower, hidden, start, self.width, gain)
        return (x,)


def sdsa(builder: PopulationBuilder, name: str, x: str, width: int) -> str:
    """Add SDSA, q AND LIF(sum over tokens of k AND v); returns its name.

    All channels are alike: heads do not matter to a sum per channel.
    """
    q, k_and_v = builder.masked_queries(name, x, width)
    kv = builder.sum_tokens(f"{name}.kv", k_and_v)
    return builder.mask_tokens(f"{name}.out", q, kv)


_QUARTER = SpikeDrivenConfig(time_steps=2, surrogate_width=2.0)

PRESETS: dict[str, SpikeDrivenConfig] = {
    # A quarter of Table 7's width: on a CPU a step of these costs about twice one of mksgn, because no frame is ever
    # dropped.
    "spike-driven": _QUARTER,
    # Table 7's own size, 4.78 M parameters on NTU60; for a GPU.
    "spike-driven-256": replace(_QUARTER, widths=(256,) * 6, time_steps=4),
}
