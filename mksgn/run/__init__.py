"""Running a graph anywhere.

- :mod:`~mksgn.run.backend`: what a backend is, and what a run returns;
- :mod:`~mksgn.run.registry`: which backends there are, opened by name;
- :mod:`~mksgn.run.time_modes`: the two ways to take a clip;
- :mod:`~mksgn.run.clips_as_streams`: clips whose frames come one after the other, and their results as those of clips;
- :mod:`~mksgn.run.execution`: samples run part by part, so that what is recorded fits into memory;
- :mod:`~mksgn.run.tensors`: a tensor of any kind into any net, read by :mod:`~mksgn.run.tensor_file`;
- :mod:`~mksgn.run.shards`: samples dealt to several processes;
- :mod:`~mksgn.run.comparison`: how two runs of the same samples compare.
"""
