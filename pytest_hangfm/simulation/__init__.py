"""A whole world in one deterministic loop: a bot, its services, disk and network, and what goes wrong."""
