"""Rooms on several machines, one owner each: leases and outboxes in a NATS JetStream cluster.

Nothing of consensus, leases or replication is done here: the cluster stores, replicates, expires and compares.
`hangbot.fleet.streams` is all that is asked of it.
"""
