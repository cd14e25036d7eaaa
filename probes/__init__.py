"""The room that asks: what must be fetched from engines and devices."""
