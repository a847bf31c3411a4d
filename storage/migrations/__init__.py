"""Migrations: every version of the tables since the first."""
