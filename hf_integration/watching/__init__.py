"""Watching: the same check again and again, a history of what came of it, and what that history shows."""
