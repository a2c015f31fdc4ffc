"""The networks by name: what each chooses, what its presets are, and what programs without torch can know of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from network_of import network_of

from mksgn import networks
from mksgn.data.preprocess import tuples
from mksgn.errors import ConfigError
from mksgn.limits import LIMITS
from mksgn.networks import NETWORKS, PRESETS, chosen, owners, stored
from mksgn.networks.registry import check_choices
from mksgn.programs.choices import documented
from mksgn.skeleton import UCLA20
from mksgn.training import recipe


def test_every_preset_is_a_network_and_every_network_has_one():
    assert PRESETS.keys() == recipe.PRESETS.keys()
    assert {network.name for network in PRESETS.values()} == NETWORKS.keys()
    assert all(recipe.PRESETS[name].network == network for name, network in PRESETS.items())


@pytest.mark.parametrize("network", PRESETS.values(), ids=PRESETS)
def test_a_network_comes_back_from_a_file(network):
    assert chosen(tuples(json.loads(json.dumps(stored(network) | {"epochs": 3})))) == network


def test_an_unknown_network_is_refused():
    with pytest.raises(ConfigError, match="unknown network") as caught:
        chosen({"network": "vit"})
    assert caught.value.allowed == ", ".join(NETWORKS)


def test_only_choices_that_mean_something():
    """Strides and fusion belong to graph convolutional networks, heads to attention as printed, T to all."""
    assert owners("strides") == owners("fusion") == ("mksgn", "base-sgn")
    assert owners("heads") == ("mksgn", "spikformer") and owners("attention") == ("mksgn",)
    assert owners("time_steps") == tuple(NETWORKS)
    check_choices("mksgn", ["strides", "dropout"])
    with pytest.raises(ConfigError, match="--heads means nothing") as caught:
        check_choices("base-sgn", ["dropout", "heads"])
    assert caught.value.allowed == "network mksgn or spikformer"


@pytest.mark.parametrize("kind", NETWORKS.values(), ids=NETWORKS)
def test_every_choice_is_explained_and_has_a_limit_or_words(kind):
    """What an option needs: without one of these, a new field would be an option without help, or without a check."""
    said = documented(kind)
    for name in kind.choices():
        assert said[name].endswith("."), name
        assert name in LIMITS or name in ("graph_conv", "fusion", "temporal_padding", "attention",
                                           "frame_state"), name


@pytest.mark.parametrize(("kind", "choices", "message"), [
    ("mksgn", {"widths": (4, 4), "strides": (1,)}, "one width and one stride"),
    ("mksgn", {"temporal_kernel": 4}, "centred on a frame"),
    ("base-sgn", {"widths": ()}, "at least one layer"),
    ("base-sgn", {"fusion": "smf", "time_steps": 1}, "time steps"),
])
def test_impossible_choices_are_refused(kind, choices, message):
    with pytest.raises(ConfigError, match=message):
        NETWORKS[kind](**choices)


def test_programs_know_the_networks_without_torch():
    code = "import sys, mksgn.networks, mksgn.training.recipe; print(sorted({'torch', 'lava'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_room_lists_all_its_networks():
    assert all(getattr(networks, kind.__name__) is kind for kind in NETWORKS.values())


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_network_can_be_built(kind):
    net = network_of(kind=kind, body=UCLA20, classes=3, frames=4, widths=(8, 8),
                     **({"strides": (1, 2)} if kind in owners("strides") else {}))
    assert net.config.name == kind and net.readout.shape == (3, 1, 1) and net.names[-1] == "head.gap"
