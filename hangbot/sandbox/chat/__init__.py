"""The chat: REST and real-time, in the dialects of OpenChat and CometChat."""
