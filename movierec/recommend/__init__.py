"""Vectors in, films out: lists, reasons, new people and new films."""
