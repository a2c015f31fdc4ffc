"""Synapses as sparse matrices in Lava's order, and kernels as its Conv takes them."""

from __future__ import annotations

import numpy as np
import pytest
from reference import synaptic_input
from written_graphs import even

from mksgn.errors import BackendError
from mksgn.ir import Conv, Dense, GraphConv, JointMix
from mksgn.lava.unroll import lava_kernel, matrix

SYNAPSES = [
    (Conv("s", ("a",), "b", even(np.random.default_rng(0), 4, 3, 3, 2), stride=(2, 1), padding=(1, 1), dilation=(1, 2),
          groups=2), (6, 7, 5), (4, 4, 5)),
    (Conv("s", ("a",), "b", even(np.random.default_rng(1), 5, 2, 1, 1)), (2, 3, 4), (5, 3, 4)),
    (Dense("s", ("a",), "b", even(np.random.default_rng(2), 8, 24)), (2, 3, 4), (2, 2, 2)),
    (JointMix("s", ("a",), "b", even(np.random.default_rng(3), 3, 5, 4)), (2, 3, 4), (6, 3, 5)),
    (GraphConv("s", ("a",), "b", even(np.random.default_rng(4), 3, 5, 2), edges=np.array([(0, 0), (3, 1), (2, 1)])),
     (2, 3, 4), (5, 3, 2)),
]


@pytest.mark.parametrize(("synapse", "source", "target"), SYNAPSES, ids=lambda x: getattr(type(x), "__name__", ""))
def test_unrolled_synapse_is_the_equation(synapse, source, target):
    weights = matrix(synapse, source, target)
    weights.eliminate_zeros()
    assert weights.nnz == synapse.connections(source, target)
    rng = np.random.default_rng(5)
    for _ in range(3):
        spikes = rng.integers(-3, 4, source)
        a = weights @ spikes.transpose(2, 1, 0).reshape(-1)
        expected = synaptic_input(synapse, spikes, target)
        np.testing.assert_array_equal(a.reshape(target[::-1]).transpose(2, 1, 0), expected)


def test_kernel_is_flipped_and_transposed():
    synapse = Conv("s", ("a",), "b", np.arange(24, dtype=np.int16).reshape(2, 2, 3, 2))
    kernel = lava_kernel(synapse)
    assert kernel.shape == (2, 2, 3, 2)  # (O, kV, kF, I)
    assert kernel[1, 0, 2, 1] == synapse.weight[1, 1, 0, 1]


def test_edges_named_twice_must_fit_in_8_bits():
    twice = GraphConv("s", ("a",), "b", np.full((2, 1, 1), 200, np.int16), edges=np.array([(0, 0), (0, 0)]))
    with pytest.raises(BackendError, match="more than 8 bits"):
        matrix(twice, (1, 1, 1), (1, 1, 1))
