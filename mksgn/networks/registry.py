"""The networks by name: whoever lists them, chooses one or reads one from a file asks here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mksgn.errors import ConfigError
from mksgn.networks import base_sgn, mksgn, spike_driven, spikformer
from mksgn.nn.config import NetworkConfig

NETWORKS: dict[str, type[NetworkConfig]] = {
    kind.name: kind for kind in (mksgn.MkSgnConfig, base_sgn.BaseSgnConfig, spikformer.SpikformerConfig,
                                 spike_driven.SpikeDrivenConfig)}
"""Paper Table 7: with or without spiking attention (SA-SGC), or a transformer over joints and frames."""

PRESETS: dict[str, NetworkConfig] = {**mksgn.PRESETS, **base_sgn.PRESETS, **spikformer.PRESETS, **spike_driven.PRESETS}
"""The networks of the training presets (:data:`mksgn.training.recipe.PRESETS`), by the preset's name."""


def owners(choice: str) -> tuple[str, ...]:
    """Names of the networks that have a choice of this name."""
    return tuple(name for name, kind in NETWORKS.items() if choice in kind.choices())


def check_choices(network: str, names: Iterable[str]) -> None:
    """Refuse choices that the network called ``network`` does not have, though others may.

    Raises
    ------
    ConfigError
        For the first of them; it names the networks that have it.
    """
    for name in names:
        if name not in NETWORKS[network].choices():
            option, others = "--" + name.replace("_", "-"), owners(name)
            raise ConfigError(f"{option} means nothing to this network", where=option, got=f"network {network}",
                              allowed=f"network {' or '.join(others)}" if others else "",
                              fix=f"leave out {option}" + (", or choose the --preset of such a network" if others
                                                           else ""))


def stored(network: NetworkConfig) -> dict[str, Any]:
    """Name and choices as plain values, for files."""
    return {"network": network.name, **{name: getattr(network, name) for name in network.choices()}}


def chosen(values: Mapping[str, Any]) -> NetworkConfig:
    """The network that ``values`` describe, the inverse of :func:`stored`; entries of other names are not looked at.

    Raises
    ------
    ConfigError
        When there is no such network, or a value is impossible.
    KeyError
        When ``values`` name no network.
    """
    name = values["network"]
    if name not in NETWORKS:
        raise ConfigError("unknown network", got=str(name), allowed=", ".join(NETWORKS))
    return NETWORKS[name](**{key: values[key] for key in NETWORKS[name].choices() if key in values})
