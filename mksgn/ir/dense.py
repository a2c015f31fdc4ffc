"""All-to-all synapses, with or without delays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mksgn.ir.kind import Shape, SynapseKind


@dataclass(frozen=True, eq=False)
class Dense(SynapseKind):
    r"""All-to-all over the flattened source, in (C, F, V) C order: :math:`a_o = \sum_j w_{oj} s_j`.

    Parameters
    ----------
    weight : int16 ndarray (O, C F V)
    delay : int ndarray, optional
        Functional synaptic delay in time steps: shape (C F V,) per input or (O, C F V) per synapse,
        0..62. A delay that only balances branches is never stored: see :mod:`mksgn.ir.schedule`.
    """

    delay: np.ndarray | None = None

    kind = "dense"
    weight_axes = 2
    stores_zeros = True
    flattens = True

    @property
    def wiring(self) -> dict[str, np.ndarray]:
        return {"delays": self.delay_of_each} if self.delayed else {}

    @property
    def delay_of_each(self) -> np.ndarray:
        """Delay of every synapse, int (O, C F V); zeros where there is none."""
        return np.broadcast_to(np.asarray(0 if self.delay is None else self.delay), self.weight.shape)

    @property
    def longest_delay(self) -> int:
        return 0 if self.delay is None else int(np.max(self.delay, initial=0))

    def by_delay(self) -> list[tuple[int, Dense]]:
        if not self.delayed:
            return [(0, replace(self, delay=None))]
        delay, present = self.delay_of_each, self.weight != 0
        steps = [int(each) for each in np.unique(delay[present])] or [0]
        return [(each, replace(self, weight=np.where(delay == each, self.weight, 0), delay=None)) for each in steps]

    def _output_shape(self, source: Shape, target: Shape) -> Shape:
        outputs, inputs = self.weight.shape
        if inputs != int(np.prod(source)):
            raise ValueError(f"weight {self.weight.shape} reads {inputs} inputs")
        if int(np.prod(target)) != outputs:
            raise ValueError(f"weight {self.weight.shape} drives {outputs} neurons")
        return target

    def fanout(self, source: Shape, target: Shape) -> np.ndarray:
        return (np.asarray(self.weight) != 0).sum(axis=0, dtype=np.int64).reshape(source)

    def _uses(self, source: Shape, target: Shape) -> int:
        return 1

    def _into_one(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=1)
