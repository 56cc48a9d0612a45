"""Kueue: what its objects mean to the scheduler core, and an admission check of our own beside it."""
