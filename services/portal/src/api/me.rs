//! Who a program is here. Not here: what a role permits.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ApiCall, Reply};
use crate::problem::Problem;

/// Whose the token is, and what it is for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Me {
    /// The name of the person who issued it.
    name: String,
    /// Their roles.
    roles: Vec<String>,
    token: Token,
}

/// The token.
#[derive(Debug, Serialize, JsonSchema)]
struct Token {
    /// What its owner calls it.
    name: String,
    /// What it is for.
    scopes: Vec<String>,
    /// When it ends, in UTC.
    #[schemars(extend("format" = "date-time"))]
    expires_at: String,
}

/// `GET /api/v1/me`.
pub(crate) async fn show(call: ApiCall) -> Result<Reply<Me>, Problem> {
    let program = call.program()?;
    let token = Token {
        name: program.token.name.clone(),
        scopes: program.token.scopes.0.clone(),
        expires_at: program.token.expires_at.0.to_string(),
    };
    Ok(Reply::ok(Me { name: program.name.clone(), roles: program.roles.clone(), token }))
}
