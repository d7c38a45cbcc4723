"""A run at work elsewhere: exports, lists of a large user base, predictions for a file."""
