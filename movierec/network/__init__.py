"""The documented two-tower network: its layers, its training, and back from a run folder."""
