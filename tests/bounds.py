"""How long our own tests wait for something that is to happen."""

from typing import Final

WITHIN: Final = 60.0
"""Seconds for whatever takes no more than a few on a calm machine: who waits longer, waits in vain.

That many, since a machine may give a test a tenth of its time, or less. And well below the limit of a whole
test (``timeout`` in `pyproject.toml`), which so ends only what has no bound of its own. What a test wants to
see running out has a short time of its own, for that alone.
"""
