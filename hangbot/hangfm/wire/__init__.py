"""The wire: text and bytes to frozen values and back. No I/O, no clock, no randomness."""
