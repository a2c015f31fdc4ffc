"""A fast ProcessModel for stock ``lava.proc.sparse.process.Sparse``."""
