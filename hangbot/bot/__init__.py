"""The running bot. It knows ports, and no service."""
