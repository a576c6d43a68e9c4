"""An HTTP server on h11, for what the bot shows of itself and for the sandbox alike."""
