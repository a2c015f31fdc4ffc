"""What can be wrong with a `.nir` file, or with a network that NIR cannot hold."""

from __future__ import annotations

from mksgn.errors import MksgnError


class NirError(MksgnError):
    """A `.nir` file that cannot be read, or a network that NIR or the chip's integers cannot hold."""
