"""Rules that come with us: each knows one thing that goes wrong, and is read naively and soundly."""
