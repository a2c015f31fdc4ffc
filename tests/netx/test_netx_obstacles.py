"""Which networks stock netx runs: what its loader makes of dense weights, and other obstacles that we name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.netx import stock_obstacles
from mksgn.netx.stock import loaded_dense_weight


def lava_dense_weight(weight: np.ndarray) -> np.ndarray | None:
    """Weights as netx and then Lava's Dense model make them, by their own functions."""
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    try:
        with np.errstate(all="ignore"):
            loaded, bits, exponent, _ = optimize_weight_bits(weight.astype(int))
    except OverflowError:
        return None
    sign = determine_sign_mode(loaded)
    loaded = truncate_weights(clip_weights(loaded, sign, num_bits=8), sign, bits)
    return np.left_shift(loaded, exponent) if exponent > 0 else np.right_shift(loaded, -exponent)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.one_of(st.integers(-256, 254), st.sampled_from([-256, -128, -64, -2, -1, 0, 1, 2, 127, 128, 254])),
                min_size=1, max_size=4), st.sampled_from([1, 2]))
def test_our_model_of_stock_weight_loading(values: list[int], step: int) -> None:
    weight = np.array([values], dtype=np.int16) // step * step
    expected, ours = lava_dense_weight(weight), loaded_dense_weight(weight)
    if ours is not None and expected is not None:
        np.testing.assert_array_equal(ours, expected)
    else:
        assert ours is None
        assert expected is None or not np.array_equal(expected, weight), "refused although stock netx loads it well"


@pytest.mark.parametrize(("values", "fine"), [
    ([0, 0], False), ([-128, -2], False), ([-256, -4], False), ([-128, 0], False), ([-1], False), ([-255, 0], False),
    ([-1, 0], True), ([-100, -2], True), ([-100, 0], True),
    ([-256, 254], True), ([-128, 2], True), ([254, 0], True), ([1, 3], True), ([-3, 5], True),
])
def test_which_dense_matrices_stock_netx_spoils(values: list[int], fine: bool) -> None:
    weight = np.array([values], dtype=np.int16)
    graph = Graph((Population("x", (len(values), 1, 1), role="input"), Population("y", (1, 1, 1), Cuba(3))),
                  (Dense("s", ("x",), "y", weight),))
    assert (stock_obstacles(graph) == []) is fine
    stock = lava_dense_weight(weight)
    assert (stock is not None and np.array_equal(stock, weight)) is fine


def test_other_obstacles_are_named() -> None:
    x = Population("x", (200, 1, 1), role="input")
    wide = Conv("wide", ("x",), "y", np.full((200, 1, 1, 1), 2, np.int16), groups=200)
    dense = Dense("flatten", ("y",), "z", np.array([[2, -4] * 100], np.int16))
    after = Conv("after", ("z",), "w", np.full((1, 1, 1, 1), 2, np.int16))
    shapes = {"y": (200, 1, 1), "z": (1, 1, 1), "w": (1, 1, 1)}
    graph = Graph((x, *(Population(n, s, Cuba(1)) for n, s in shapes.items())), (wide, dense, after))
    first, second = stock_obstacles(graph)
    assert "'wide'" in first and "200" in first
    assert "'after'" in second and "after a dense layer" in second
