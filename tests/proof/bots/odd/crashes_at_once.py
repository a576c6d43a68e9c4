"""A bot that ends before it has connected."""

import sys

sys.exit("config.json is missing")
