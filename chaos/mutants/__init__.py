"""Deliberate bugs, each of which a named test must catch: what the safety net is worth, measured.

`patches/*.patch` holds one bug each (format: `patching`), `./run chaos --mutants` puts them one after the other into a
private copy of the tree and runs the tests that must fail. A bug that no test notices is a hole in the net.
"""
