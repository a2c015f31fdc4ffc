"""Spiking graph convolutional networks: from SLAYER training to Loihi 2, exact on every spike.

Importing this package before torch or numba sets how their threads wait for each other: asleep. By default they spin,
which takes the cores from every other program: two trainings side by side on two cores then cost several times what
they need. ``OMP_WAIT_POLICY`` (libgomp) and ``KMP_BLOCKTIME`` (Intel's and LLVM's OpenMP) of the environment go first.
"""

import os

__version__ = "0.1.0"

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
