"""The scenarios, a module a family: each does to a bot what the service does, and looks at it."""
