"""The engine's core: pure decisions and the thin shell around them. Knows no venue, web framework or config file."""
