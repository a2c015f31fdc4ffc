"""Lava Processes and ProcessModels of ours, one folder per Process."""
