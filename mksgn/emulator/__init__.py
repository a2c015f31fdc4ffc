"""The exact emulator of spiking graphs: in batches of samples, and frame by frame."""

from mksgn.emulator.emulator import Emulator
from mksgn.emulator.frames_run import run_frames
from mksgn.emulator.framewise import FrameByFrame

__all__ = ["Emulator", "FrameByFrame", "run_frames"]
