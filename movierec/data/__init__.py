"""From raw files to encoded features: read, simulated, split, described."""
