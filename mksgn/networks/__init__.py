"""One module per network: its choices, the equations that its layers realise, and its presets.

A network is a frozen dataclass of choices (a :class:`~mksgn.nn.config.NetworkConfig`) whose ``populate`` adds its
populations to a :class:`~mksgn.nn.builder.PopulationBuilder`. Nothing here imports torch.

To add a network, write a module with its dataclass and name the class in :mod:`mksgn.networks.registry`; programs,
files and errors then know it. To add a choice to a network, add a field, its lines in the class docstring, and its
limit in :mod:`mksgn.limits`; the option of the training program follows from these.
"""

from mksgn.networks.base_sgn import BaseSgnConfig
from mksgn.networks.mksgn import MkSgnConfig
from mksgn.networks.registry import NETWORKS, PRESETS, chosen, owners, stored
from mksgn.networks.spike_driven import SpikeDrivenConfig
from mksgn.networks.spikformer import SpikformerConfig
from mksgn.nn.config import DataShape, NetworkConfig

__all__ = ["NETWORKS", "PRESETS", "BaseSgnConfig", "DataShape", "MkSgnConfig", "NetworkConfig", "SpikeDrivenConfig",
           "SpikformerConfig", "chosen", "owners", "stored"]
