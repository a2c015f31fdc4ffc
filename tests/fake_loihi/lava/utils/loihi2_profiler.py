"""Fake of the module by which Lava recognises that its Loihi extension is installed."""
