"""Posters and titles in the visitor's language: asked of a provider, kept on disk, never awaited.

Whatever the network, the provider or the disk does, nothing is raised into the page: it is logged.
"""
