"""The choice between fine-tuned integers and those of rounding alone, on training samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from lively_nets import lively
from network_of import network_of

from mksgn.data.preprocess import MODALITIES, Preprocess
from mksgn.emulator import Emulator
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.training.batches import preprocessed
from mksgn.training.evaluation import predictions
from mksgn.training.integers import choose_integers
from mksgn.training.network_file import load_network, save_network
from mksgn.training.objective import OwnFloat
from mksgn.training.recipe import PRESETS, Recipe

TRAIN = np.arange(0, 60, 2)


def network(pack, **choices) -> SpikingGraphNet:
    torch.manual_seed(0)
    shape = {"widths": (8, 8), "time_steps": 2} | ({"strides": (1, 2)} if "kind" not in choices else {})
    net = network_of(body=pack.body, classes=len(pack.class_names), frames=8, **shape, **choices)
    return lively(net, preprocessed(pack, TRAIN, Preprocess(frames=8, modality=net.data.modalities)))


def spoil(net: SpikingGraphNet) -> None:
    """The classes' weights with the other sign."""
    with torch.no_grad():
        for parameter in net.readout.parameters():
            parameter.neg_()


def rounding(path) -> SpikingGraphNet:
    net = load_network(path, quantized=False)
    net.quantize()
    return net


def test_spoilt_integers_are_not_kept(pack, tmp_path):
    preprocess = Preprocess(frames=8)
    floating = tmp_path / "float.safetensors"
    save_network(floating, network(pack))
    tuned = rounding(floating)
    spoil(tuned)
    kept, said = choose_integers(tuned, floating, preprocessed(pack, TRAIN, preprocess))
    assert said["integers"] == "rounded" and said["agreement_tuned"] < said["agreement_rounded"]
    assert all(torch.equal(value, kept.state_dict()[name]) for name, value in rounding(floating).state_dict().items())
    # The two figures, by hand.
    samples = preprocessed(pack, TRAIN, preprocess)
    expected = predictions(load_network(floating, quantized=False), samples)
    assert len(set(expected.tolist())) > 1
    for net, name in ((kept, "rounded"), (tuned, "tuned")):
        with Emulator(to_graph(net)) as emulator:
            assert said[f"agreement_{name}"] == (emulator.run(samples).predictions == expected).mean()


def test_fine_tuned_integers_that_agree_as_often_are_kept(pack, tmp_path):
    floating = tmp_path / "float.safetensors"
    save_network(floating, network(pack))
    tuned = rounding(floating)
    kept, said = choose_integers(tuned, floating, preprocessed(pack, TRAIN, Preprocess(frames=8)))
    assert kept is tuned and said["integers"] == "fine-tuned"
    assert said["agreement_tuned"] == said["agreement_rounded"]


def test_rounding_alone_has_the_fixed_weights_too(pack, tmp_path):
    """Of SMF the file of the float stage has the estimator; its integers have the weights that were fixed."""
    net = network(pack, modalities=MODALITIES, fusion="smf", coder_width=4)
    floating = tmp_path / "float.safetensors"
    save_network(floating, net)
    net.fix_fusion((0.25, 0.5, 0.75, 1.0))
    net.quantize()
    spoil(net)
    samples = preprocessed(pack, TRAIN, Preprocess(frames=8, modality=MODALITIES))
    kept, said = choose_integers(net, floating, samples)
    assert said["integers"] == "rounded" and kept is not net
    assert kept.fusion_weights == net.fusion_weights


def test_rounding_alone_takes_the_scales_it_is_told(pack, tmp_path):
    floating = tmp_path / "float.safetensors"
    save_network(floating, network(pack))
    samples, kept = preprocessed(pack, TRAIN, Preprocess(frames=8)), {}
    for scales in ("power-of-two", "integer"):
        tuned = rounding(floating)
        spoil(tuned)
        kept[scales], said = choose_integers(tuned, floating, samples, scales)
        assert said["integers"] == "rounded"
    assert kept["power-of-two"].scales() == rounding(floating).scales()
    assert any(scale.bit_count() > 1 for scale in kept["integer"].scales())


def test_a_recipe_from_before_scales_could_be_chosen_has_powers_of_two():
    stored = PRESETS["demo"].to_dict()
    assert stored["scales"] == "integer" and Recipe.from_dict(stored) == PRESETS["demo"]
    del stored["scales"], stored["tune_loss"]
    assert Recipe.from_dict(stored) == replace(PRESETS["demo"], scales="power-of-two")


def test_integers_may_be_taught_by_their_own_float_network(pack, tmp_path):
    """The loss is how far their classes are apart: labels have no part in it, and the teacher learns nothing."""
    floating = tmp_path / "float.safetensors"
    save_network(floating, network(pack))
    samples = torch.from_numpy(preprocessed(pack, TRAIN, Preprocess(frames=8)))
    labels = torch.from_numpy(pack.labels[TRAIN])
    same = load_network(floating, quantized=False)
    loss = OwnFloat(rounding(floating).train(), same, torch.float32).train()
    assert not loss.teacher.training and loss.net.training
    value, figures = loss(samples, labels)
    value.backward()
    assert all(p.grad is None for p in loss.teacher.parameters())
    assert loss.net.readout.projections[0].synapse.weight.grad.abs().sum() > 0
    assert loss(samples, labels.roll(1))[0] == value and len(figures) == len(loss.names)
    # By hand.
    with torch.no_grad():
        theirs, ours = ((net(samples).logits / 2).softmax(1) for net in (same, loss.net))
        expected = 4 * (theirs * (theirs.log() - ours.log())).sum(1).mean()
        assert float(figures[1]) == float((loss.net(samples).logits.argmax(1) == labels).float().mean())
    torch.testing.assert_close(value.detach(), expected, rtol=1e-3, atol=1e-6)
    assert value > 0
    spoil(loss.net)
    assert loss(samples, labels)[0] > 2 * value


def test_a_mode_is_put_back(pack):
    net = network(pack)
    samples = preprocessed(pack, TRAIN, Preprocess(frames=8))
    for mode in (True, False):
        net.train(mode)
        assert len(predictions(net, samples)) == len(samples) and net.training is mode
    assert predictions(net, samples[:0]).shape == (0,)
