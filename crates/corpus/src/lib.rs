//! Ingest, corpus generator, tokenizer, token shards and probes.
