"""The room that wires: command line, configuration and supervision."""
