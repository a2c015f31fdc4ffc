"""Fake of the base classes of ProcessModels on the chip's embedded processors; nothing here derives from them."""


class AbstractCProcessModel:
    """Fake."""


class CLoihiProcessModel(AbstractCProcessModel):
    """Fake."""
