"""A tensor from a ``.npy`` file, in the shape that a net takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mksgn.errors import DataError
from mksgn.ir import Graph
from mksgn.ir.synapses import Shape

_INT32 = np.iinfo(np.int32)


def load_input(path: Path, graph: Graph) -> np.ndarray:
    """Read a ``.npy`` tensor as int32 (C, F, V, steps).

    Its leading axes are the net's input shape (C, F, V), or that shape without axes of length 1, or
    flattened in this order; time comes last. Floats must hold integers.

    Raises
    ------
    DataError
        When the file cannot be read, holds something else, or does not fit the net's input.
    """
    x = _mapped(path)
    if x.dtype.kind not in "biuf":
        raise DataError("the input is not made of numbers", where=str(path), got=str(x.dtype), allowed="integers")
    shape = tuple(graph.input.shape)
    forms = {shape, tuple(n for n in shape if n != 1), (graph.input.size,)}
    if x.ndim < 1 or x.shape[:-1] not in forms or x.shape[-1] < 1:
        allowed = " or ".join(str((*form, "steps")).replace("'", "") for form in sorted(forms, key=len, reverse=True))
        turned = x.ndim == 4 and x.shape[:3] == shape[::-1]
        raise DataError("the input does not fit the net", where=str(path), got=str(x.shape), allowed=allowed,
                        fix="this is Lava's order (V, F, C, steps): save x.transpose(2, 1, 0, 3)" if turned
                        else "put time last; at least one step")
    fits = (x == np.rint(x)) & (x >= _INT32.min) & (x <= _INT32.max) if x.dtype.kind != "b" else np.ones(x.shape, bool)
    if not fits.all():
        at = tuple(int(i) for i in np.argwhere(~fits)[0])
        raise DataError("the input is not made of integers", where=f"{path}, element {at}", got=str(x[at]),
                        allowed="integers, or floats that hold integers",
                        fix="quantise the input as the net's training did")
    return np.ascontiguousarray(x, dtype=np.int32).reshape(*shape, x.shape[-1])


def tensor_shape(path: Path) -> Shape | None:
    """(C, F, V) of a tensor that has all its axes, for a net that does not say its input's shape; else None.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    shape = _mapped(path).shape
    return shape[:3] if len(shape) == 4 and min(shape) > 0 else None


def _mapped(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, not yet read."""
    try:
        # Mapped, so that a header which declares more than the file holds is an error and not an allocation.
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError("the input file does not exist", where=str(path), fix="check --input") from None
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError) as error:
        raise DataError("the input file cannot be read", where=str(path), got=str(error)[:200],
                        allowed="an array of numbers saved by numpy.save (.npy)") from None
    if not isinstance(x, np.ndarray):
        x.close()
        raise DataError("the input file holds several arrays", where=str(path), got="a .npz archive",
                        allowed="one array saved by numpy.save (.npy)")
    return x
