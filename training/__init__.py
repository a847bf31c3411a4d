"""Data made for the purpose, and the weights learned from it, offline: nothing here runs in production."""
