"""A sparse synapse with delays that forgets what is on its way when its sample ends."""
