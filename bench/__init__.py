"""How fast Wenk is, against bare Matrix on the same homeserver in the same run. Not part of what is installed."""
