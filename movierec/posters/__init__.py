"""Posters and titles in the visitor's language: asked of a provider, kept on disk, never awaited.

A page shows at once what is known and asks for the rest; an answer comes later, from another
thread, or never. Whatever the network, the provider or the disk does, nothing is raised into the
page: it is logged under `movierec.posters`.
"""
