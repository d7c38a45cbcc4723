"""What is fitted to ratings, by numbers alone: recipes, factors, what is watched together."""
