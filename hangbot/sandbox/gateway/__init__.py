"""The gateway: token exchange, profiles, rooms and playlists."""
