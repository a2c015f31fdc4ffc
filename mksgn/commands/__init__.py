"""The commands of the package: ``mksgn run``, ``mksgn map`` and so on, a module for each.

A module holds a command's description, its options and ``main(arguments)``, which returns the exit code. It imports
what is slow only when the options are read; that stands in a module of its own. :mod:`~mksgn.commands.dispatch` knows
all commands. The programs of a checkout (``deploy/run_lava.py`` and others) are doors to the same modules.
"""
