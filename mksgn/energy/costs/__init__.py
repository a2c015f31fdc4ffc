"""The cost of a sample: the events of :class:`~mksgn.energy.work.CoreWork` in millijoules and milliseconds.

The constants are data (``mksgn/energy/tables/*.toml``), each with its unit, its source and what the figure
rests on. ``docs/energy.md`` derives the equations.

Examples
--------
>>> from mksgn.energy.costs import cost_models
>>> cost = cost_models()["loihi1"].price(work)                    # doctest: +SKIP
>>> cost.dynamic_mj, cost.streaming.samples_per_s                 # doctest: +SKIP
"""

from mksgn.energy.costs.frames import FramePace, at_endless_rate, at_frame_rate
from mksgn.energy.costs.latency import step_time
from mksgn.energy.costs.model import Cost, CostModel, Pace
from mksgn.energy.costs.quantity import Constant, Range
from mksgn.energy.costs.tables import cost_models, load_cost_model

__all__ = ["Constant", "Cost", "CostModel", "FramePace", "Pace", "Range", "at_endless_rate", "at_frame_rate",
           "cost_models", "load_cost_model", "step_time"]
