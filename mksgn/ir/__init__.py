"""The spiking graph, the one integer description that every backend consumes."""

from mksgn.ir.equality import graph_difference, graphs_equal
from mksgn.ir.graph import LOGIT_SCALE, Cuba, Graph, Population
from mksgn.ir.schedule import Schedule, reset_steps, schedule
from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Synapse, output_shape

__all__ = ["LOGIT_SCALE", "Conv", "Cuba", "Dense", "Graph", "GraphConv", "JointMix", "Population", "Schedule",
           "Synapse", "graph_difference", "graphs_equal", "output_shape", "reset_steps", "schedule"]
