//! `obelus audit baseline`: retrains as jobs. What one costs is in `cost.rs`, the process that trains one in `child.rs`.

mod child;
mod cost;

use anyhow::{Result, bail};
use obelus_auditor::baselines::{self, Leaves, Listed, Proposal, Wanted};
use obelus_casework::{Deps, case::OWNER};
use serde_json::{Value, json};

use self::cost::Cost;
use crate::{
    arguments::{Baseline, Which},
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Runs `obelus audit baseline`.
///
/// # Errors
/// When it could not be done.
pub async fn run(deps: &Deps, command: &Baseline, output: &Output) -> Result<Answer> {
    match command {
        Baseline::Plan(which) => {
            let planned = Planned::new(deps, which).await?;
            let hint =
                if planned.cost.is_some() { "\nNothing is started; obelus audit baseline add does." } else { "" };
            output.print(&format!("{}{hint}", planned.words()), &planned.document())?;
            Ok(Answer::Done)
        }
        Baseline::Add { which, yes, person } => {
            add(deps, which, *yes, person.as_deref().unwrap_or(OWNER), output).await
        }
        Baseline::List { model } => {
            let listed = baselines::list(deps, model.as_deref()).await?;
            output.print(&in_words(&listed), &listed)?;
            Ok(Answer::Done)
        }
        Baseline::Cancel { retrain, person } => {
            let name = baselines::cancel(deps, person.as_deref().unwrap_or(OWNER), retrain).await?;
            output.print(&format!("{name} is cancelled. What is trained of it is kept."), &json!({ "name": name }))?;
            Ok(Answer::Done)
        }
        Baseline::Train { name } => child::train(deps, name).await,
    }
}

async fn add(deps: &Deps, which: &Which, yes: bool, by: &str, output: &Output) -> Result<Answer> {
    let planned = Planned::new(deps, which).await?;
    let mut document = planned.document();
    let Some((cost, how)) = planned.cost.as_ref().map(|cost| (cost, cost.how())).filter(|_| yes) else {
        document["started"] = json!(false);
        let nothing = planned.cost.is_none();
        let hint = if nothing { "" } else { "\nNothing is started. With --yes it is, at this cost." };
        output.print(&format!("{}{hint}", planned.words()), &document)?;
        return Ok(if nothing { Answer::Done } else { Answer::No });
    };
    let added = baselines::add(deps, by, &planned.proposal, &how).await?;
    document["started"] = json!(true);
    document["jobs"] = json!(added);
    let cells: Vec<Vec<String>> = added
        .iter()
        .map(|one| {
            let state = if one.new { "put into the queue" } else { "there already" };
            vec![one.job.to_string(), one.name.clone(), one.seed.to_string(), state.to_owned()]
        })
        .collect();
    let words = format!(
        "{}\n{}\n\nobelus audit schedule run trains them; {} in all.",
        planned.words(),
        table(&["JOB", "RETRAIN", "SEED", ""], &cells),
        cost::duration(cost.seconds())
    );
    output.print(&words, &document)?;
    Ok(Answer::Done)
}

/// A proposal with what its missing retrains cost; none where none is missing.
struct Planned {
    proposal: Proposal,
    cost: Option<Cost>,
}

impl Planned {
    async fn new(deps: &Deps, which: &Which) -> Result<Self> {
        let proposal = baselines::propose(deps, &wanted(which)?).await?;
        let cost = if proposal.missing.is_empty() { None } else { Some(Cost::of(deps, &proposal).await?) };
        Ok(Self { proposal, cost })
    }

    fn document(&self) -> Value {
        let mut document = json!(self.proposal);
        document["cost"] = json!(self.cost);
        document
    }

    fn words(&self) -> String {
        let Proposal { model, kind, excluded, refused, later, serving, missing, .. } = &self.proposal;
        let mut words = format!("Retrains of {model} without {} sources ({kind}).\n", excluded.len());
        if !refused.is_empty() {
            words += &format!("Left out because they are revoked or suppressed: {}.\n", refused.join(", "));
        }
        if !later.is_empty() {
            words += &format!("Came after the training, so that no retrain has seen them: {}.\n", later.join(", "));
        }
        for one in serving {
            words += &format!("{} serves: seed {}, {} sources left out.\n", one.name, one.seed, one.excluded);
        }
        for one in missing {
            words += &format!("{} is missing: seed {}, {}.\n", one.name, one.seed, one.state);
        }
        match &self.cost {
            Some(cost) => words + &cost.words(),
            None => words + "None is missing.\n",
        }
    }
}

fn wanted(which: &Which) -> Result<Wanted> {
    let leaves = match (&which.matched, which.panel) {
        (Some(reference), None) => Leaves::Case(reference.clone()),
        (None, Some(sources)) => Leaves::Panel { sources: sources as usize, seed: which.panel_seed },
        (None, None) if !which.source.is_empty() => Leaves::Sources(which.source.clone()),
        _ => bail!(WrongUse("say what to leave out: --matched REF, --source ID... or --panel N".to_owned())),
    };
    Ok(Wanted { model: which.model.clone(), leaves, seeds: which.seeds, exact: which.exact })
}

fn in_words(listed: &[Listed]) -> String {
    let cells: Vec<Vec<String>> = listed
        .iter()
        .map(|one| {
            let percent = one.percent.map_or_else(String::new, |percent| format!(" {percent} %"));
            vec![
                one.name.clone(),
                one.model.clone(),
                one.kind.clone().unwrap_or_default(),
                one.excluded.to_string(),
                one.seed.map_or_else(String::new, |seed| seed.to_string()),
                format!("{}{percent}", one.state),
                one.job.map_or_else(String::new, |job| job.to_string()),
                one.requested_by.clone().unwrap_or_default(),
                one.used_by.join(", "),
                one.why.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let headings = ["RETRAIN", "OF", "KIND", "LEFT OUT", "SEED", "STATE", "JOB", "ASKED BY", "USED BY", "WHY"];
    table(&headings, &cells)
}
