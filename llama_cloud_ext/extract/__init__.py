"""Extract: schemas in, validated models out, and every schema an agent tool.

`extractor` has the class that users start with; `data_schema` turns models into what the service takes and back;
`result` and `fields` are what comes out; `tools` and `node_metadata` hand it to agents and ingestion pipelines.
"""
