"""What the command-line programs share.

- :mod:`~mksgn.programs.options`, :mod:`~mksgn.programs.console`: options and --help; errors, lines, tables and bars;
- :mod:`~mksgn.programs.nets`, :mod:`~mksgn.programs.samples`: which net a name means, and which samples it runs on;
- :mod:`~mksgn.programs.backends`, :mod:`~mksgn.programs.skeletons`: backends with a bar, and a data set run on them;
- :mod:`~mksgn.programs.run_tables`, :mod:`~mksgn.programs.classes`, :mod:`~mksgn.programs.placement`: what is printed;
- :mod:`~mksgn.programs.outputs`: files written whole or not at all.
"""
