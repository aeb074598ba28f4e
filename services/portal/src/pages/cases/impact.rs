//! What the plan of a case costs the sources that stay: exactly, as forecast when it was made, and as measured afterwards. Not
//! here: making it (`obelus-auditor`).

use std::collections::BTreeMap;

use askama::Template;
use obelus_casework::{
    case,
    impact::{Advice, Forecast, Group, Loss, Remedy, Who, percent},
};
use obelus_policy::Action;
use obelus_report::plot::{Plot, losses};
use obelus_store::{requests, verifications};
use serde::Deserialize;

use crate::{dispatch::Call, page::Layout, problem::Problem, route::Answer, shown::Shown};

/// Survivors that are listed by name; the plan has all of them.
const LISTED: usize = 50;

#[derive(Template)]
#[template(path = "impact.html")]
struct ImpactPage {
    layout: Layout,
    reference: Shown,
    digest: String,
    layers: Vec<u64>,
    neurons: u64,
    plot: Plot,
    survivors: Vec<(Shown, u64, String)>,
    /// How many survivors are not listed.
    more: usize,
    forecast: Option<Shares>,
    groups: Vec<Asked>,
    advice: Vec<(&'static str, Shown)>,
    measured: Vec<Line>,
}

/// What survivors have of their sinks.
struct Shares {
    before: String,
    after: String,
    least: String,
    /// Strikes left now and after this one, and of an untouched model.
    budget: Option<(u64, u64, u64)>,
}

/// Survivors that were asked.
struct Asked {
    who: &'static str,
    sources: u64,
    lines: Vec<Line>,
}

/// A metric before and after.
struct Line {
    metric: Shown,
    items: u64,
    before: String,
    after: String,
    change: String,
    margin: String,
    outcome: Shown,
    look: &'static str,
}

/// What a plan says of its impact, as far as it is known here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Plan {
    neurons_per_layer: Vec<u64>,
    survivors: Vec<Survivor>,
    forecast: Option<Forecast>,
}

#[derive(Deserialize)]
struct Survivor {
    source: String,
    lost: u64,
    /// A decimal.
    lost_fraction: String,
}

/// What a verification says of survivors, as far as it is known here.
#[derive(Deserialize)]
struct Results {
    judgement: Judgement,
}

#[derive(Deserialize)]
struct Judgement {
    attacks: BTreeMap<String, Attack>,
}

#[derive(Deserialize)]
struct Attack {
    outcome: String,
    items: u64,
    original: f64,
    erased: f64,
    difference_interval: Option<Interval>,
    margin: f64,
}

#[derive(Deserialize)]
struct Interval {
    low: f64,
    high: f64,
}

/// `GET /cases/{reference}/impact`.
pub(crate) async fn show(call: Call) -> Answer {
    let (work, person) = (&call.portal.deps.work, call.person()?);
    let reference = call.reference()?.to_owned();
    let missing = || Problem::not_found("There is no case of this number. The page Cases lists those that there are.");
    let request = requests::get(&work.db, &reference).await?.ok_or_else(missing)?;
    case::permitted(work, &person.name, Action::ReadCase, Some(&reference)).await.map_err(Problem::of_case)?;
    call.note_reading("read_impact", &reference, &serde_json::json!({})).await?;
    let (Some(digest), Some(bytes)) = (request.plan_digest, request.plan) else {
        return Err(Problem::not_found("This case has no plan yet, so that nothing is known of its impact."));
    };
    let Plan { neurons_per_layer, survivors, forecast } = serde_json::from_slice(&bytes).unwrap_or_default();
    let lost: Vec<f64> = survivors.iter().map(|s| s.lost_fraction.parse().unwrap_or(0.0)).collect();
    let listed = survivors.iter().take(LISTED);
    let listed = listed.map(|s| (Shown::new(&s.source), s.lost, percent(&s.lost_fraction))).collect();
    let (groups, advice) = forecast.as_ref().map(|f| (f.groups.as_slice(), f.advice.as_slice())).unwrap_or_default();
    let page = ImpactPage {
        layout: call.layout(&format!("Impact of {reference}"))?.under(&[("/cases", "Cases")]),
        reference: Shown::new(&reference),
        digest: digest.to_string(),
        neurons: neurons_per_layer.iter().sum(),
        layers: neurons_per_layer,
        plot: losses(&lost),
        more: survivors.len().saturating_sub(LISTED),
        survivors: listed,
        groups: groups.iter().map(asked).collect(),
        advice: advice.iter().map(advised).collect(),
        forecast: forecast.as_ref().map(shares),
        measured: measured(&call, &reference).await?,
    };
    call.show(&page)
}

fn shares(forecast: &Forecast) -> Shares {
    Shares {
        before: percent(&forecast.kept_before.mean),
        after: percent(&forecast.kept_after.mean),
        least: percent(&forecast.kept_after.least),
        budget: forecast.budget.as_ref().map(|budget| (budget.before, budget.after, budget.whole)),
    }
}

fn advised(advice: &Advice) -> (&'static str, Shown) {
    let what = match advice.what {
        Remedy::Batch => "Strike the others first",
        Remedy::Repair => "Repair the model afterwards",
        Remedy::Retrain => "Train the model anew without what was struck",
    };
    (what, Shown::new(&advice.why))
}

fn asked(group: &Group) -> Asked {
    let line = |loss: &Loss| {
        let numbers = [&loss.before, &loss.after, &loss.margin].map(|number| number.parse().unwrap_or(f64::NAN));
        let interval = loss.interval.as_ref().map(|ends| ends.each_ref().map(|end| end.parse().unwrap_or(f64::NAN)));
        Line::new(&loss.metric, loss.items, numbers, interval, &loss.outcome)
    };
    let who = match group.who {
        Who::HitHardest => "that would lose most",
        Who::Spread => "from all over the model",
    };
    Asked { who, sources: group.sources, lines: group.losses.iter().map(line).collect() }
}

/// What the first verification has measured of survivors; nothing before.
async fn measured(call: &Call, reference: &str) -> Result<Vec<Line>, Problem> {
    let run = verifications::first_of_request(&call.portal.deps.work.db, reference).await?;
    let results = run.and_then(|run| run.results);
    let results: Option<Results> = results.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let attacks = results.map(|results| results.judgement.attacks).unwrap_or_default();
    let line = |(name, attack): (String, Attack)| {
        let metric = name.strip_prefix("survivors.").filter(|_| attack.items > 0)?;
        let interval = attack.difference_interval.map(|interval| [interval.low, interval.high]);
        let numbers = [attack.original, attack.erased, attack.margin];
        Some(Line::new(metric, attack.items, numbers, interval, &attack.outcome))
    };
    Ok(attacks.into_iter().filter_map(line).collect())
}

impl Line {
    fn new(metric: &str, items: u64, numbers: [f64; 3], interval: Option<[f64; 2]>, outcome: &str) -> Self {
        let words = match metric {
            "specific_known" => "What they alone tell, known",
            "specific_choice" => "What they alone tell, chosen among answers",
            "shared_known" => "What others tell too, known",
            "text_loss" => "Loss on their texts, nats a token",
            other => other,
        };
        let three = |number: f64| format!("{number:.3}");
        let [before, after, margin] = numbers.map(three);
        let change =
            interval.map_or_else(|| "too little to say".to_owned(), |[low, high]| format!("{low:.3} to {high:.3}"));
        Self {
            metric: Shown::new(words),
            items,
            before,
            after,
            change,
            margin,
            outcome: Shown::new(outcome),
            look: match outcome {
                "pass" => "good",
                "fail" => "bad",
                _ => "open",
            },
        }
    }
}
