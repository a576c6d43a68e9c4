"""Recorded sessions: their format, and how one is recorded, scripted and replayed."""
