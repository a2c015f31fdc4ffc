"""Event-driven integer kernels (numba): synapses that touch only the weights of neurons that sent something."""
