"""What a net says of the classes: scores that are the trained network's, and tables that are cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from lively_nets import lively, samples_for
from network_of import network_of

from mksgn.emulator import Emulator
from mksgn.nn.lowering import to_graph
from mksgn.programs import classes
from mksgn.programs.samples import Selection
from mksgn.skeleton import UCLA20


def test_scores_are_those_of_the_trained_network() -> None:
    """A readout over the net's logit scale is, to the last bit, the logit of the quantised network in torch."""
    torch.manual_seed(2)
    net = network_of(body=UCLA20, classes=5, frames=8, widths=(8, 12), strides=(1, 2), time_steps=2)
    x = samples_for(net)
    lively(net, x).eval()
    net.quantize()
    graph = to_graph(net)
    with torch.no_grad():
        logits = net(torch.from_numpy(x)).logits
    with Emulator(graph) as emulator:
        output = emulator.run(x).output
    assert np.array_equal(output / graph.meta["logit_scale"], logits.numpy()) and output.any()
    found, why = classes.scores(graph, output)
    assert found is not None and not why and np.allclose(found, logits.softmax(1).numpy(), rtol=1e-6)
    bare = replace(graph, meta={})
    assert classes.scores(bare, output)[0] is None and "export it again" in classes.scores(bare, output)[1]


def test_tables_of_many_classes_and_samples_are_cut() -> None:
    """30 classes of which three are hard: 20 rows with those among them, all with --all; unlabelled samples too."""
    labels = np.repeat(np.arange(30), 4)
    predictions = np.where((labels % 10 == 7) & (np.arange(120) % 4 < 3), 0, labels)
    chosen = selection_of(labels)
    rows = classes.per_class(chosen, predictions)
    cut, whole = classes.classes_table(rows, False), classes.classes_table(rows, True)
    assert (cut.row_count, whole.row_count) == (20, 30) and "20 of 30" in str(cut.caption) and not whole.caption
    assert {"class 7", "class 17", "class 27"} <= {str(cell) for cell in cut.columns[0].cells}
    wrong = classes.samples_table(chosen, predictions, None, False)
    assert wrong is not None and wrong.row_count == 9
    assert classes.samples_table(chosen, labels, None, False) is None
    blind = replace(chosen, labels=np.full(120, -1))
    unknown = [classes.samples_table(blind, predictions, None, everything) for everything in (False, True)]
    assert [table.row_count for table in unknown if table is not None] == [20, 120] and not classes.per_class(
        blind, predictions)


def selection_of(labels: np.ndarray) -> Selection:
    """Samples of which nothing is asked but names and labels."""
    names = tuple(f"sample {number}" for number in range(len(labels)))
    return Selection(np.zeros((len(labels), 1, 1, 1), np.int8), labels, names,
                     tuple(f"class {number}" for number in range(30)), None, "d", "", "all", len(labels), "")
