"""The spiking graph, the one integer description that every backend consumes."""

from mksgn.ir.equality import graph_difference, graphs_equal
from mksgn.ir.graph import LOGIT_SCALE, Cuba, Graph, Population
from mksgn.ir.schedule import Schedule, reset_steps, schedule
from mksgn.ir.synapses import KINDS, Attention, Conv, Dense, GraphConv, JointMix, Synapse

__all__ = ["KINDS", "LOGIT_SCALE", "Attention", "Conv", "Cuba", "Dense", "Graph", "GraphConv", "JointMix", "Population",
           "Schedule", "Synapse", "graph_difference", "graphs_equal", "reset_steps", "schedule"]
