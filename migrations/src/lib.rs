//! Database migrations, one file per change.
