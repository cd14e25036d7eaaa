"""Simulates a fleet of engines in virtual time: pure, seeded, a few events for each request."""
