//! For tests only: tiny corpus, tiny model, both databases, manual clock.
