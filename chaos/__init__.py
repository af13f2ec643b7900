"""Deterministic simulation of whole engines against venues that misbehave: `./run chaos --seeds N`.

Everything an engine decides with is real: files, SignalManager, TradeExecutor, journal, adapters. Only the outermost
things are simulated: time, the disk, the network and the venues behind it. A run is a function of its seed.
"""
