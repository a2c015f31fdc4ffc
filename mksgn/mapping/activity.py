"""Messages per neuron and sample, which placing balances cores by: checked, completed, or assumed."""

from __future__ import annotations

import numpy as np

from mksgn.errors import ConfigError
from mksgn.ir.graph import Graph
from mksgn.mapping.inside import activity_inside, expanded, has_attention
from mksgn.mapping.wiring import Activity

UNIFORM_RATE = 0.1
"""Spikes per neuron and step that placing assumes where no activity is given."""


def uniform_activity(graph: Graph, steps: int) -> dict[str, np.ndarray]:
    """:data:`UNIFORM_RATE` spikes per neuron and step at work; the input sends at every such step."""
    rate = {"input": 1.0, "hidden": UNIFORM_RATE, "readout": 0.0}
    return {p.name: np.full(p.shape, rate[p.role] * (p.lattice.steps_at_work if p.lattice else steps))
            for p in graph.populations}


def complete(graph: Graph, activity: Activity, steps: int) -> dict[str, np.ndarray]:
    """``activity`` checked, and with that inside attentions, where they do not come with it.

    Parameters
    ----------
    graph : Graph
        As it came, attentions included.
    activity : mapping of population to float64 ndarray (C, F, V)
    steps : int
        Per sample.

    Raises
    ------
    ConfigError
        When the activity is of another graph.
    """
    if not has_attention(graph):
        return checked(graph, activity)
    placed = expanded(graph)
    added = {p.name for p in placed.populations} - {p.name for p in graph.populations}
    own = checked(graph, {name: values for name, values in activity.items() if name not in added})
    given = {name: values for name, values in activity.items() if name in added}
    return checked(placed, activity_inside(graph, own, steps) | given | own)


def checked(graph: Graph, activity: Activity) -> dict[str, np.ndarray]:
    """``activity`` as float64 arrays, or :class:`ConfigError` where it does not fit the graph."""
    unknown = sorted(set(activity) - {population.name for population in graph.populations})
    if unknown:
        raise ConfigError("activity names populations that the net has not", got=", ".join(unknown[:5]),
                          fix="count a run of this net: counts.sent / counts.samples")
    found = {}
    for population in graph.populations:
        where = f"population {population.name!r}"
        if population.name not in activity:
            if population.role != "readout":
                raise ConfigError("activity of a population is missing", where=where,
                                  fix="count a run of this net: counts.sent / counts.samples")
            found[population.name] = np.zeros(population.shape)
            continue
        values = np.asarray(activity[population.name], np.float64)
        if values.shape != tuple(population.shape):
            raise ConfigError("activity does not fit a population", where=where, got=str(values.shape),
                              allowed=str(tuple(population.shape)))
        if not np.isfinite(values).all() or (values < 0).any():
            raise ConfigError("activity must be finite and at least 0", where=where)
        found[population.name] = values
    return found
