"""The search: schedules of faults, drawn from seeds, against the bot that is proven."""
