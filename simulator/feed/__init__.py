"""A feed like that of Bittensor SN8 on the loopback: traders whose positions move over time, and what can go wrong."""
