"""The choices of the two spiking transformers: every joint of every frame is a token; only the head pools.

A population of tokens has shape (C, F, V), so a linear layer over channels is a 1 x 1 convolution.
"""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.errors import ConfigError
from mksgn.nn.config import NetworkConfig

MLP_RATIO = 4
"""Hidden channels of an MLP over its inputs, in both published networks."""


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(NetworkConfig):
    """Choices of a spiking transformer: those that all networks have, in :class:`~mksgn.nn.config.NetworkConfig`.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`), or the widths differ. It names options.
    """

    widths: tuple[int, ...] = (64,) * 6

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.widths)) != 1:
            raise ConfigError("all blocks of a transformer have one width", "--widths",
                              " ".join(map(str, self.widths)), "equal numbers", "give equal --widths")

    @property
    def width(self) -> int:
        """Channels of every block, and of the spike coder."""
        return self.widths[0]

    def check_modalities(self, modalities: tuple[str, ...]) -> None:
        if len(modalities) > 1:
            raise ConfigError("a transformer reads one modality: its shortcuts begin with the spikes of one coder",
                              got=", ".join(modalities), fix="name one --modality")
