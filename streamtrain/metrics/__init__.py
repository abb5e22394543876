"""Prequential scores: every row is predicted first and learned after, so each is a test before it teaches."""
