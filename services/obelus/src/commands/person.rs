//! `obelus person`.

use anyhow::Result;
use obelus_casework::{
    Deps,
    case::{OWNER, permitted},
};
use obelus_policy::{Action, Rules};
use obelus_store::{audit, persons};
use serde_json::json;

use crate::{
    arguments::Person,
    failure::WrongUse,
    output::{Answer, Output},
};

/// Runs `obelus person`.
pub async fn run(deps: &Deps, command: &Person, output: &Output) -> Result<Answer> {
    let Person::Add { name, role } = command;
    let rules = Rules::shipped()?;
    for role in role {
        if !rules.roles().any(|known| known == role) {
            let known: Vec<&str> = rules.roles().collect();
            return Err(WrongUse(format!("there is no role {role:?}; there are {}", known.join(", "))).into());
        }
    }
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(WrongUse(format!("{name:?} is not a person's name: use up to 64 characters without spaces")).into());
    }
    let owner = permitted(deps, OWNER, Action::ManagePeople, None).await?;
    let write = deps.db.write().await?;
    let mut roles = Vec::new();
    for role in role {
        roles = persons::add(&write, name, role, deps.now()).await?.roles;
        let detail = json!({ "role": role }).to_string();
        audit::append(&write, deps.now(), &owner.name, "add_person", name, &detail).await?;
    }
    write.commit().await?;
    output.print(&format!("{name}: {}", roles.join(", ")), &json!({ "name": name, "roles": roles }))?;
    Ok(Answer::Done)
}
