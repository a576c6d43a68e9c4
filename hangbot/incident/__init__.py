"""An incident as a file: a support bundle that is safe to post, and its replay against the bot of today."""
