"""The policies that the field runs, each written from its own source, to be compared with ours."""
