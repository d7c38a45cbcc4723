"""The explorer's tabs: each holds its controls, fills its lists, and does what is done in it."""
