"""Knows how a hint looks to each controller; refuses to speak to any."""
