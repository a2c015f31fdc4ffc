"""What can be wrong with a `.nir` file, or with a network that NIR cannot hold."""

from __future__ import annotations

from contextlib import AbstractContextManager

from mksgn.errors import MksgnError, typed

UNEXPECTED = "the file holds something that its reader does not expect"


class NirError(MksgnError):
    """A `.nir` file that cannot be read, or a network that NIR or the chip's integers cannot hold."""


def unexpected(where: str) -> AbstractContextManager[None]:
    """The last resort of a reader: content that no check foresaw, as a :class:`NirError` that names ``where``."""
    return typed(NirError, UNEXPECTED, where, fix="export the network again, or copy the file again")
