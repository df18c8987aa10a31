"""A package with data and a plug-in."""
