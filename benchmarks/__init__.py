"""Speed and cost of movierec beside what else one could use; see README.md here."""
