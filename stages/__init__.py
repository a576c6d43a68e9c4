"""Stages: what the bot does on the wire, one stage a file. Run by ``pytest -m stage``."""
