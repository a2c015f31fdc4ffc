"""A source of messages that the host sends while the network runs."""
