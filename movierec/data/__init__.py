"""From raw files to encoded features: read, checked, split."""
