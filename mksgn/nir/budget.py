"""Bytes that a `.nir` file may hold, spent before anything is allocated."""

from __future__ import annotations

from mksgn.nir.errors import NirError


class Budget:
    """Bytes that may still be allocated.

    Parameters
    ----------
    limit : int
        Bytes in all.
    fix : str
        What the user can do when it is exceeded.
    """

    def __init__(self, limit: int, fix: str = "") -> None:
        self.limit, self.left, self.fix = limit, limit, fix

    @property
    def spent(self) -> int:
        """Bytes spent so far."""
        return self.limit - self.left

    def spend(self, nbytes: int, where: str) -> None:
        """Take ``nbytes`` from the budget; :class:`NirError` naming ``where`` when they are not left."""
        if nbytes > self.left:
            raise NirError("the network is larger than the size limit", where=where, got=f"{nbytes:,} bytes",
                           allowed=f"{self.limit:,} bytes in all, {self.left:,} of them left", fix=self.fix)
        self.left -= nbytes
