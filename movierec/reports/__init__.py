"""Notebooks run in batches, and the reports that come of them."""
