"""Knows small real peers to test against: a scripted endpoint, a raw client, a simulated engine, a store in memory.

These are shipped code and a public promise: whoever builds on the records can test with the same peers.
"""
