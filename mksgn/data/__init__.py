"""Skeleton data: the canonical pack, readers of the public releases, protocols, and a synthetic generator."""
