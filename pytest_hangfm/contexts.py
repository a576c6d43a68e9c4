"""The types of ``hangfm_ctx``, for annotations."""

from hangbot.testing import FakeContext, MakeContext

__all__ = ["FakeContext", "MakeContext"]
