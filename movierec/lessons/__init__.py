"""What the notebooks teach with: pictures, descriptions, derived shapes, short studies."""
