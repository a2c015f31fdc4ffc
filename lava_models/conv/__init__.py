"""A fast ProcessModel for stock ``lava.proc.conv.process.Conv``."""
