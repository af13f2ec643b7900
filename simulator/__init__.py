"""Simulated venues that speak the real wire protocols, over loopback HTTP or in memory, with faults on demand."""
