"""Delivery: accepted means on disk, sent under one stable id, asked about before it is sent again."""
