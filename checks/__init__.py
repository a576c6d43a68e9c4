"""Preflight: what has to be right before a deploy, one question a test. Run by ``pytest -m preflight``."""
