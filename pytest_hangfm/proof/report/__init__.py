"""What a run of the proof leaves: a table, JSON, a page, a badge."""
