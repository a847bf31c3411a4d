"""The story of the leaflet, played on a homeserver that the demo starts itself."""
