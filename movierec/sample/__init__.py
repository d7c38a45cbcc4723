"""The simulated world, whose truth is known: the embedded data set and data of any size."""
