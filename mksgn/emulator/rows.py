"""Sums of whole rows in vector registers: what every synapse of the compiled emulator comes down to.

A row is so many neighbouring channels. The sums of a row stay in registers while row after row is added, so a spike
costs one addition of a vector per 16 to 32 weights. numba alone would load and store the sums for every row, as it
cannot know that rows and sums lie apart; the loops are therefore written as LLVM instructions. Additions of whole
numbers wrap around, so a sum is right whenever it fits its own type, whatever happens on the way.

The width of a row is a multiple of ``LANES[-1]``. Everything is given as bare pointers (:func:`pointer`): numba counts
the references to an array wherever one is passed on, which costs as much as many additions, and more with several
threads. Whoever makes a pointer keeps the array: one that was made in compiled code is gone after its last use there,
pointer or not.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np
from llvmlite import ir as llvm
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mksgn.compiled import compiled

LANES = (64, 32, 16)
"""Channels that are summed at once, widest first."""
_INDEX = llvm.IntType(64)


def pad(channels: int) -> int:
    """Width of a row of so many channels."""
    return -(-channels // LANES[-1]) * LANES[-1]


@intrinsic
def pointer(typingctx, array):
    """The address of an array's first element: ``p[i]`` reads and writes."""

    def codegen(context, builder, signature, args):
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def from_place(typingctx, start, place):
    """The pointer to element ``place`` of what ``start`` points to."""

    def codegen(context, builder, signature, args):
        return builder.gep(args[0], [args[1]])

    return start(start, types.intp), codegen


def _vector(builder, data, index, lanes):
    """Pointer to ``lanes`` elements from ``index`` on, as one vector."""
    return builder.bitcast(builder.gep(data, [index]), llvm.VectorType(data.type.pointee, lanes).as_pointer())


def _load(builder, data, index, lanes):
    value = builder.load(_vector(builder, data, index, lanes))
    value.align = data.type.pointee.width // 8
    return value


def _store(builder, value, data, index):
    stored = builder.store(value, _vector(builder, data, index, value.type.count))
    stored.align = data.type.pointee.width // 8


def _as(builder, value, kind):
    """A signed number, or a vector of them, as the elements of the vector ``kind``."""
    to = kind if isinstance(value.type, llvm.VectorType) else kind.element
    have = value.type.element.width if isinstance(value.type, llvm.VectorType) else value.type.width
    if have == kind.element.width:
        return value
    return builder.sext(value, to) if have < kind.element.width else builder.trunc(value, to)


def _splat(builder, value, kind):
    nothing = llvm.Constant(kind, llvm.Undefined)
    single = builder.insert_element(nothing, value, llvm.Constant(llvm.IntType(32), 0))
    every = llvm.Constant(llvm.VectorType(llvm.IntType(32), kind.count), [0] * kind.count)
    return builder.shuffle_vector(single, nothing, every)


def _add(builder, total, at, width, count, term):
    """total[at : at + width] += the sum of ``term(i, column, kind)`` for i below ``count``.

    ``term`` emits the i-th row's vector of type ``kind`` from ``column`` on.
    """

    def part(lanes, column):
        kind = llvm.VectorType(total.type.pointee, lanes)
        place = builder.add(at, column)
        sums = cgutils.alloca_once(builder, kind)
        builder.store(_load(builder, total, place, lanes), sums)
        with cgutils.for_range(builder, count) as loop:
            builder.store(builder.add(builder.load(sums), term(loop.index, column, kind)), sums)
        _store(builder, builder.load(sums), total, place)

    widest = llvm.Constant(_INDEX, LANES[0])
    with cgutils.for_range(builder, builder.udiv(width, widest)) as loop:
        part(LANES[0], builder.mul(loop.index, widest))
    column = builder.mul(builder.udiv(width, widest), widest)
    for lanes in LANES[1:]:
        rest = builder.and_(width, llvm.Constant(_INDEX, lanes))
        with builder.if_then(builder.icmp_unsigned("!=", rest, llvm.Constant(_INDEX, 0))):
            part(lanes, column)
        column = builder.add(column, rest)


def _place(builder, base, step, named, column):
    """base + step * named + column."""
    named = builder.zext(named, _INDEX) if named.type.width < 32 else builder.sext(named, _INDEX)
    return builder.add(builder.add(base, column), builder.mul(named, step))


@intrinsic
def add_rows(typingctx, total, at, width, rows, base, named, head, count):
    """total[at : at + width] += the rows that ``named[head : head + count]`` name, of all those from ``base`` on.

    The rows are ``width`` long and lie side by side.
    """

    def codegen(context, builder, signature, args):
        into, source, names = args[0], args[3], args[5]
        names = builder.gep(names, [args[6]])

        def term(i, column, kind):
            place = _place(builder, args[4], args[2], builder.load(builder.gep(names, [i])), column)
            return _as(builder, _load(builder, source, place, kind.count), kind)

        _add(builder, into, args[1], args[2], args[7], term)
        return context.get_dummy_value()

    index = types.intp
    return types.void(total, index, index, rows, index, named, index, index), codegen


@intrinsic
def add_scaled(typingctx, total, at, width, rows, base, step, named, factors, head, count):
    """The same sum of rows that lie ``step`` apart, each times its entry of ``factors[head : head + count]``."""

    def codegen(context, builder, signature, args):
        into, source, names, scales = args[0], args[3], args[6], args[7]
        names, scales = builder.gep(names, [args[8]]), builder.gep(scales, [args[8]])

        def term(i, column, kind):
            place = _place(builder, args[4], args[5], builder.load(builder.gep(names, [i])), column)
            factor = _as(builder, builder.load(builder.gep(scales, [i])), kind)
            return builder.mul(_as(builder, _load(builder, source, place, kind.count), kind),
                               _splat(builder, factor, kind))

        _add(builder, into, args[1], args[2], args[9], term)
        return context.get_dummy_value()

    index = types.intp
    return types.void(total, index, index, rows, index, index, named, factors, index, index), codegen


@intrinsic
def add_products(typingctx, total, at, width, rows, base, step, others, other_base, named, other_named, head, count):
    """The same sum of rows, each times the row of ``others`` that begins at ``other_base`` + its ``other_named``."""

    def codegen(context, builder, signature, args):
        into, source, other, names, other_names = args[0], args[3], args[6], args[8], args[9]
        names, other_names = builder.gep(names, [args[10]]), builder.gep(other_names, [args[10]])
        one = llvm.Constant(_INDEX, 1)

        def term(i, column, kind):
            place = _place(builder, args[4], args[5], builder.load(builder.gep(names, [i])), column)
            other_place = _place(builder, args[7], one, builder.load(builder.gep(other_names, [i])), column)
            return builder.mul(_as(builder, _load(builder, source, place, kind.count), kind),
                               _as(builder, _load(builder, other, other_place, kind.count), kind))

        _add(builder, into, args[1], args[2], args[11], term)
        return context.get_dummy_value()

    index = types.intp
    return types.void(total, index, index, rows, index, index, others, index, named, other_named, index, index), codegen


@intrinsic
def _append(typingctx, events, at, table, row, first):
    """events[at : at + 8] = table[8 row : 8 row + 8] + first."""

    def codegen(context, builder, signature, args):
        into, source = args[0], args[2]
        kind = llvm.VectorType(into.type.pointee, 8)
        named = _load(builder, source, builder.mul(args[3], llvm.Constant(_INDEX, 8)), 8)
        start = _splat(builder, builder.trunc(args[4], kind.element), kind)
        _store(builder, builder.add(named, start), into, args[1])
        return context.get_dummy_value()

    return types.void(events, types.intp, table, types.intp, types.intp), codegen


_BITS = (np.arange(256)[:, None] >> np.arange(8)) & 1
_NAMED = np.array([[*np.flatnonzero(bits), *[0] * (8 - bits.sum())] for bits in _BITS], np.uint16).ravel()
_NUMBER = _BITS.sum(axis=1).astype(np.int64)
_GATHER = np.uint64(0x0102040810204080)
"""Times this, the lowest bits of 8 bytes come together in the highest byte, in order."""


@compiled(nogil=True, error_model="numpy", boundscheck=False, forceinline=True)
def name_spikes(words, first, count, events, head):
    """Enter the places of the spikes in ``8 count`` bytes, 0 or 1, which are ``words[first : first + count]``.

    Returns their number. ``events[head : head + 8 count]`` is overwritten.
    """
    table = pointer(_NAMED)
    named = 0
    for i in range(count):
        bits = np.intp((words[first + i] * _GATHER) >> np.uint64(56))
        _append(events, head + named, table, bits, 8 * i)
        named += _NUMBER[bits]
    return named
