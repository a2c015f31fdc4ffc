"""Counting what happens in a run: one class of counts, and the three ways in which it is filled.

- :mod:`~mksgn.counts.batch_tally`, by the emulator: while samples run side by side, what each neuron sent;
- :mod:`~mksgn.counts.step_tally`, by Lava's Block Processes: step by step, into one array, a Lava Var;
- :mod:`~mksgn.counts.recorded`, by Lava's other layouts and Loihi 2: afterwards, from recorded spikes and states.

All three take the weights that a message meets from the synapse itself (``fanout``), and give the same numbers.
"""

from mksgn.counts.counts import TABLES, Counts

__all__ = ["TABLES", "Counts"]
