"""The explorer as a web page for many visitors."""
