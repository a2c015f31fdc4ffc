"""Cuts a population as Lava's compiler did, as far as its public logs show: the objective ``lava``.

No two populations share a core, and the boxes of a population are alike.

- A dense population that is too large takes slices of neurons. A row of its synapses then fills a power of two of
  memory words: the largest one that fits, with as many neurons as such a row holds.
- Any other population is halved until a box fits: its channels while synapses do not fit, then columns (joints) and
  rows (frames), whichever is longer, columns counting twice. Columns are halved from the next power of two on, and the
  neurons of a box are counted with those columns. The compiler of 2022 halved columns alone (``Board.lava_split``);
  rows are halved here, too, where single columns do not fit.

``docs/mapping.md`` says which rows of the logs this rule explains, and which it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mksgn.ir.synapses import Dense, Shape
from mksgn.mapping.boards import Board
from mksgn.mapping.grid import Grid
from mksgn.mapping.layer import Cut, Layer
from mksgn.mapping.memory import listed_bits


def lava_cuts(layer: Layer, limits: Mapping[str, int]) -> list[Cut]:
    """Cuts of a population that fit, the compiler's own first, then finer ones; empty where single neurons do not fit.

    Parameters
    ----------
    layer : Layer
    limits : dict of resource to int
        Of a core; out-axons are left out.
    """
    shape = layer.population.shape
    dense = shape[1:] == (1, 1) and layer.synapses and all(isinstance(s, Dense) for s in layer.synapses)
    sizes = _slices(layer) if dense else _halves(layer, limits)
    fitting = [grid for grid in map(lambda size: boxes(shape, size), sizes) if layer.fits(grid, limits)]
    # A finer cut has more boxes; one with as many would only be another cut.
    return [layer.cut(grid) for number, grid in enumerate(fitting)
            if not number or grid.cells > fitting[number - 1].cells]


def boxes(shape: Shape, size: Shape) -> Grid:
    """Boxes of ``size`` from the origin on; the last along each axis takes what is left."""
    return Grid(tuple((*range(0, length, step), length) for length, step in zip(shape, size)))  # type: ignore[arg-type]


def _slices(layer: Layer) -> Iterator[Shape]:
    """The whole population, then as many neurons as rows of ever smaller powers of two of words hold."""
    neurons = layer.population.shape[0]
    yield layer.population.shape
    rules = [(listed_bits(synapse, layer.rules(synapse)), layer.rules(synapse)) for synapse in layer.synapses]
    words = 1 << max(_row_words(neurons, bits, board) for bits, board in rules).bit_length()
    while words:
        held = min((words * board.word_bits - board.list_header_bits) // bits for bits, board in rules)
        if 0 < held < neurons:
            yield (held, 1, 1)
        words //= 2
    yield (1, 1, 1)


def _row_words(synapses: int, bits: int, board: Board) -> int:
    return -(-(synapses * bits + board.list_header_bits) // board.word_bits)


def _halves(layer: Layer, limits: Mapping[str, int]) -> Iterator[Shape]:
    """The whole population, then boxes that are halved again and again."""
    channels, rows, columns = layer.population.shape
    columns = 1 << (columns - 1).bit_length()
    while True:
        size = (channels, rows, columns)
        if channels * rows * columns <= limits.get("neurons", np.inf):  # columns that are not there count, too
            yield size
        if size == (1, 1, 1):
            return
        words = layer.usage(boxes(layer.population.shape, size))["synapse_words"]
        too_many = int(np.max(words)) > limits.get("synapse_words", np.inf)
        if channels > 1 and (too_many or rows == columns == 1):
            channels = -(-channels // 2)
        elif columns > 1 and (2 * columns >= rows or layer.board.lava_split == "columns"):
            columns //= 2
        elif rows > 1:
            rows = -(-rows // 2)
        else:
            columns //= 2
