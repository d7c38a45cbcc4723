"""How good a recommender is, and compared with what."""
