"""The proof of any bot, as tests: ``pytest --pyargs pytest_hangfm.proof --hangfm-bot "COMMAND"``."""
