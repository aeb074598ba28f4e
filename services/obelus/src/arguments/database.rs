//! `obelus database`, for whoever runs the database server.

use clap::{Args, Subcommand};

/// `obelus database`
#[derive(Debug, Subcommand)]
pub enum Database {
    /// Bring the tables to the shape that this version needs, as their owner
    Migrate,
    /// Give the roles of PostgreSQL what they may do with the tables
    Grant(Roles),
    /// Print the script that makes the roles and grants, for psql
    Roles(Roles),
}

/// Which roles.
#[derive(Debug, Args)]
pub struct Roles {
    /// How their names begin: two installations on one server take two
    #[arg(long, default_value = "obelus", value_name = "NAME")]
    pub prefix: String,
}
