"""Codecs: pure translations between a venue's payloads and the domain. No I/O, no clock, no state."""
