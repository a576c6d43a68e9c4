"""Rooms on several machines, one owner each: leases and outboxes in a NATS JetStream cluster.

The cluster stores, replicates, compares and lets expire; `hangbot.fleet.streams` is all that is asked of it.
"""
