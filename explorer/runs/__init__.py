"""Runs: the store of their state, and the processes that train them."""
