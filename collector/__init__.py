"""The room that listens: the tee, which copies bytes, and the observer, which reads a copy of them."""
