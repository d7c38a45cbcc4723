"""What is fitted to ratings, by numbers alone: the two-tower network and the factor models."""
