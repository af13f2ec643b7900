from __future__ import annotations


class UserError(Exception):
    """Ends a verb with exit code 1 and this text: what happened, what was done about it, what the user can do."""
