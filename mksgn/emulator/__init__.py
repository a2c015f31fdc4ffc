"""The exact, batched emulator of spiking graphs."""

from mksgn.emulator.emulator import Emulator

__all__ = ["Emulator"]
