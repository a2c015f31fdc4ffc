"""Fast ProcessModels for stock ``lava.proc.lif.process.LIF`` and ``LIFReset``."""
