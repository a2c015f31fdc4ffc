"""What the compiled kernels of :mod:`mksgn.nn` share: tensors as flat rows in memory order, float32 or bfloat16.

numba knows no bfloat16, so its elements are carried as uint16 and turned to float32 one by one. ``load`` and ``store``
are calls that LLVM inlines: numba's own inlining (0.68) loses the second ``store`` of a function.
"""

# mypy: ignore-errors
# (numba compiles some of these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np
import torch
from llvmlite import ir as llvm
from numba import types
from numba.extending import intrinsic, overload

FAST = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz", "arcp", "contract"}}
"""Options of a kernel. "contract" may fuse v * keep + z into one rounding: harmless for floats; whole numbers stay."""


@intrinsic
def _bits_to_float(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], llvm.FloatType())

    return types.float32(types.uint32), codegen


@intrinsic
def _float_to_bits(typingctx, value):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], llvm.IntType(32))

    return types.uint32(types.float32), codegen


def load(element):
    """The float32 value of an element. Compiled code only."""
    raise NotImplementedError("compiled code only")


@overload(load)
def _load(element):
    if element == types.uint16:
        return lambda element: _bits_to_float(np.uint32(np.uint32(element) << np.uint32(16)))
    return lambda element: np.float32(element)


def store(row, i, value):
    """``row[i] = value``, rounded to nearest, ties to even, as hardware does. Compiled code only."""
    raise NotImplementedError("compiled code only")


@overload(store)
def _store(row, i, value):
    if row.dtype == types.uint16:

        def to_bfloat16(row, i, value):
            bits = _float_to_bits(np.float32(value))
            tie = (bits >> np.uint32(16)) & np.uint32(1)
            row[i] = np.uint16((bits + np.uint32(0x7FFF) + tie) >> np.uint32(16))

        return to_bfloat16

    def to_float32(row, i, value):
        row[i] = value

    return to_float32


def memory(x: torch.Tensor, *shape: int) -> np.ndarray:
    """The elements of a channels-last tensor (B, C, F, V) in memory order, (B, F, V, C), in ``shape``; no copy.

    bfloat16 comes as uint16.
    """
    x = x.detach().permute(0, 2, 3, 1)
    array = x.view(torch.int16).numpy().view(np.uint16) if x.dtype == torch.bfloat16 else x.numpy()
    if not array.flags.c_contiguous:
        raise ValueError(f"channels are not last in memory: shape {tuple(x.shape)}, strides {x.stride()}")
    return array.reshape(shape)
