"""The room socket: Primus and ActionHero on the wire, and the room behind it."""
