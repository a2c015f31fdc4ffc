"""A part of a spiking graph as one Lava Process."""
