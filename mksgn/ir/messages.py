"""What an input population can send, and the checks every backend makes of what a user feeds into a net."""

from __future__ import annotations

import numpy as np

from mksgn.errors import DataError
from mksgn.ir.graph import Population


def message_range(message_bits: int) -> tuple[int, int]:
    """Smallest and largest message: {0, 1} for spikes, two's complement for graded messages."""
    if message_bits == 0:
        return 0, 1
    return -(1 << (message_bits - 1)), (1 << (message_bits - 1)) - 1


def check_samples(samples: np.ndarray, population: Population, steps: int) -> np.ndarray:
    """Integers (N, C, F, V) or (N, C, F, V, T) that the input ``population`` can send.

    Raises
    ------
    DataError
        Naming the first sample and value that cannot be sent.
    """
    samples = np.asarray(samples)
    shape = tuple(population.shape)
    if samples.ndim not in (4, 5) or samples.shape[1:4] != shape or samples.shape[4:] not in ((), (steps,)):
        raise DataError("samples do not fit the net's input", where=f"population {population.name!r}",
                        got=str(samples.shape),
                        allowed=f"(N, {', '.join(map(str, shape))}) or the same with {steps} steps")
    check_messages(samples, population, "sample")
    return samples


def check_messages(messages: np.ndarray, population: Population, unit: str) -> None:
    """Raise :class:`DataError` unless all ``messages``, counted along axis 0 in ``unit``, can be sent."""
    where = f"population {population.name!r}"
    if not (np.issubdtype(messages.dtype, np.integer) or messages.dtype == np.bool_):
        raise DataError("the net's input takes integers", where=where, got=str(messages.dtype),
                        fix="quantise the input as the net's preprocessing says")
    low, high = message_range(population.message_bits)
    if messages.size and (messages.min() < low or messages.max() > high):
        position = np.argwhere((messages < low) | (messages > high))[0]
        raise DataError("an input value is out of the message range", where=f"{where}, {unit} {position[0]}",
                        got=f"{messages[tuple(position)]} at {tuple(int(i) for i in position[1:])}",
                        allowed=f"{low}..{high}" if population.message_bits else "0 or 1",
                        fix="check the input's scale and the net's message bits")
