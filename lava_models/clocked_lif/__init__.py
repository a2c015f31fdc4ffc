"""A LIF neuron that works at the steps of its frames and rests at all others."""
