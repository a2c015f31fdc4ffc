"""Spiking graphs as Lava Processes on the CPU simulator. Importing this imports no Lava."""
