"""The room that knows: records, meters, schema, queries, spool, store client."""
