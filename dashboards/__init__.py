"""The room that shows: the web page and Grafana."""
