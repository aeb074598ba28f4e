//! Database entities and queries.
