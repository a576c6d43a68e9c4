"""Builds the Allure report: `python -m report`, or `make report`."""
