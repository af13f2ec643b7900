"""A pytest plugin for runs that only ask whether a test fails: properties stop at the first example that does."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate))
settings.load_profile("mutants")
