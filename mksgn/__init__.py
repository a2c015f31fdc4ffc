"""Spiking graph convolutional networks: from SLAYER training to Loihi 2, exact on every spike."""

__version__ = "0.1.0"
