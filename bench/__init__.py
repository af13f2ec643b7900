"""Measurements of the real parts, as ratios in one run: `./run bench NAME [--json]`."""
