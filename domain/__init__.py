"""The rules of the index, pure: no I/O, no clock of its own, nothing from the other packages."""
