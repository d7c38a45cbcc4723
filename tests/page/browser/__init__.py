"""The page and the notebook in a real browser."""
