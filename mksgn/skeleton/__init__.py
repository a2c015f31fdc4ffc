"""Joint graphs: which joints exist, which bones join them, and the adjacency a network mixes them with."""

from mksgn.skeleton.adjacency import normalized_adjacency, parents, spatial_partitions
from mksgn.skeleton.body import NTU25, UCLA20, Body, body_of

__all__ = ["NTU25", "UCLA20", "Body", "body_of", "normalized_adjacency", "parents", "spatial_partitions"]
