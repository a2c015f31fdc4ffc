"""Fake of the base class of the chip's ProcessModels; nothing here derives from it."""


class AbstractNcProcessModel:
    """Fake."""
