"""The room that decides: objectives, alerts and hints."""
