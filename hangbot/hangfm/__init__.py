"""All that knows Hang.fm: its wire, its chat, its gateway and its rooms."""
