"""Axonal delay: what arrives at step t leaves at step t + d."""

from __future__ import annotations

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var


class Delay(AbstractProcess):
    r"""Delays the spikes of a population by a fixed number of steps.

    .. math:: s_{out}[t] = s_{in}[t - d], \quad s_{in}[t] = 0 \text{ for } t < 1

    Parameters
    ----------
    shape : tuple of int
        Shape of the population; both ports have it.
    steps : int
        d, at least 1.
    name : str, optional

    Raises
    ------
    ValueError
        When ``steps`` is below 1.
    """

    def __init__(self, *, shape: tuple[int, ...], steps: int, name: str | None = None) -> None:
        if steps < 1:
            raise ValueError(f"Delay: steps must be at least 1, got {steps}")
        super().__init__(shape=shape, steps=steps, name=name)
        self.s_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        # Ring buffer; slot t mod d holds what arrived d steps ago until it is overwritten.
        self.pending = Var(shape=(steps, *shape), init=0)
