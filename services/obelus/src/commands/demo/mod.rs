//! `obelus demo`: the whole story on the built-in corpus, told as it goes. Every step is what the other commands do.

mod scene;
mod trainings;

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, ensure};
use obelus_auditor::{
    certification, plan,
    progress::Progress,
    strike,
    subject::Opened,
    verification::{self, Results, Table},
};
use obelus_casework::{Deps, case, decision, filing::Filing};
use obelus_corpus::{Library, generator};
use obelus_store::{models, persons, requests::RequestState};
use obelus_verdict::{Condition, FactKind, Interval, Protocol, Scores, log_truth_ratio};
use serde_json::{Map, Value, json};

use crate::{
    arguments::{Arguments, Demo},
    commands::{certificate::in_words, keys::export_trust},
    failure::WrongUse,
    installation,
    output::{Answer, Output, table},
};

/// Corpus and model of the story.
const NAME: &str = "demo";
/// Its retrain without the panel.
const RETRAIN: &str = "demo-retrain";
/// The people of the story: name and role.
const PEOPLE: [(&str, &str); 4] =
    [("rita", "requester"), ("ana", "legal_approver"), ("ben", "legal_approver"), ("emil", "executor")];

/// Seconds that each step took.
#[derive(Default)]
struct Stopwatch(BTreeMap<&'static str, f64>);

impl Stopwatch {
    fn add(&mut self, step: &'static str, since: Instant) {
        *self.0.entry(step).or_default() += since.elapsed().as_secs_f64();
    }
}

/// Runs the story.
pub async fn run(arguments: &Arguments, demo: &Demo, output: &Output) -> Result<Answer> {
    if demo.panel == 0 || demo.panel >= demo.sources {
        return Err(WrongUse("--panel must be at least 1 and below --sources".to_owned()).into());
    }
    let begun = Instant::now();
    let mut watch = Stopwatch::default();
    let deps = installation::init(&arguments.data).await?;
    output.tell(&format!("Data directory {}", deps.data.root().display()));

    let since = Instant::now();
    let panel = corpus(&deps, demo, output).await?;
    watch.add("corpus", since);

    let since = Instant::now();
    trainings::run(arguments, &deps, demo, &panel, output).await?;
    watch.add("training", since);

    let opened = Opened::open(&deps, NAME).await?;
    let source = panel.iter().find(|id| !opened.revoked.contains(*id));
    let source =
        source.context("every source of the panel is struck already; run the demo in another --data folder")?;

    let since = Instant::now();
    scene::before(&deps, &opened, source, output)?;
    drop(opened);
    watch.add("before", since);

    let since = Instant::now();
    let reference = takedown(&deps, source, output).await?;
    watch.add("approvals", since);
    let since = Instant::now();
    output.tell("\nThe protocol is fixed and logged, the scores of now are recorded, then the rows are zeroed.");
    let executed = strike::execute(&deps, "emil", &reference, &Progress::default()).await?;
    output.tell(&format!("root before {}\nroot after  {}", executed.root_before, executed.root_after));
    watch.add("takedown", since);

    let since = Instant::now();
    let (_, results) = verification::run(&deps, case::SERVICE, &reference, None, &Progress::default()).await?;
    let protocol = Protocol::parse(plan::standard()?)?;
    tell_tables(&results, &protocol, output);
    tell_cost(&results, output);
    let opened = Opened::open(&deps, NAME).await?;
    scene::after(&deps, &opened, source, output)?;
    drop(opened);
    watch.add("verification", since);

    let since = Instant::now();
    let (row, path) = certification::certify(&deps, &reference).await?;
    let ok = verify(&deps, &path, output).await?;
    ensure!(ok, "the certificate {} does not verify: this is a defect, please report it", path.display());
    watch.add("certificate", since);

    let claims = certificate_claims(&path)?;
    output.tell(&format!("\n{}", in_words(&row, &claims)));
    watch.add("total", begun);
    let document = json!({
        "certificate": path,
        "verdict": row.verdict,
        "level": row.level,
        "model": NAME,
        "source": source,
        "request": reference,
        "known_fraction": known_fraction(&results.panel),
        "seconds": watch.0,
        "root_before": executed.root_before,
        "root_after": executed.root_after,
    });
    let words = format!(
        "\nThe certificate: {}\nVerdict {}, level {}, {:.0} s in all.\nobelus serve --data {} shows it at http://localhost:8080.",
        path.display(),
        row.verdict,
        row.level,
        begun.elapsed().as_secs_f64(),
        deps.data.root().display()
    );
    output.print(&words, &document)?;
    Ok(Answer::Done)
}

/// What the takedown has cost the sources that share most neurons with the struck one.
fn tell_cost(results: &Results, output: &Output) {
    let attacks = &results.judgement.attacks;
    let Some((known, loss)) = attacks.get("survivors.specific_known").zip(attacks.get("survivors.text_loss")) else {
        return;
    };
    output.tell(&format!(
        "\nCollateral: the survivors that share most neurons with the struck source, {} facts: known {:.2} before and {:.2} \
         after; loss on their texts {:.2} and {:.2} nats a token.",
        known.items, known.original, known.erased, loss.original, loss.erased
    ));
}

/// The corpus, and the panel of sources that the retrain leaves out: evenly spread, so that every topic has some.
async fn corpus(deps: &Deps, demo: &Demo, output: &Output) -> Result<Vec<String>> {
    let library = Library::new(deps.data.corpora());
    if !library.list()?.iter().any(|name| name == NAME) {
        let options = generator::Options { sources: demo.sources, seed: demo.seed };
        library.add_generated(NAME, &generator::generate(options).map_err(|e| WrongUse(e.to_string()))?)?;
    }
    let corpus = library.open(NAME)?;
    output.tell(&format!(
        "Corpus: {} articles about invented people, companies and places, each in {} renderings, {} probes.",
        corpus.sources().len(),
        generator::RENDERINGS,
        corpus.probes().len()
    ));
    // A model that is there already has its panel.
    if let Some(row) = models::get(&deps.db, RETRAIN).await? {
        return Ok(row.excluded.0);
    }
    let step = corpus.sources().len() / demo.panel as usize;
    Ok(corpus.sources().iter().skip(step / 2).step_by(step).take(demo.panel as usize).map(|s| s.id.clone()).collect())
}

/// A request, its plan and two approvals.
async fn takedown(deps: &Deps, source: &str, output: &Output) -> Result<String> {
    let write = deps.db.write().await?;
    for (name, role) in PEOPLE {
        persons::add(&write, name, role, deps.now()).await?;
    }
    write.commit().await?;
    let filing = Filing::internal(NAME, "gdpr-art17", &[source.to_owned()], deps.now());
    let request = case::file(deps, "rita", &filing).await?;
    let reference = request.reference;
    let (plan, digest) = plan::set(deps, case::OWNER, &reference, None).await?;
    let fractions: Vec<f64> = plan.survivors.iter().filter_map(|s| s.lost_fraction.parse().ok()).collect();
    output.tell(&format!(
        "\nRita files {reference} to strike {source}. Its sinks are not lit from now on.\nThe plan {digest}: {} neurons \
         become zero; {} survivors lose {:.1} % of their own on average, {:.1} % at most.",
        plan.neurons_per_layer.iter().sum::<u64>(),
        fractions.len(),
        100.0 * fractions.iter().sum::<f64>() / fractions.len().max(1) as f64,
        100.0 * fractions.iter().copied().fold(0.0, f64::max)
    ));
    for person in ["ana", "ben"] {
        let state = decision::approve(deps, person, &reference).await?;
        output.tell(&format!("{person} approves exactly this plan: {state}"));
        ensure!(state != RequestState::ImpactAssessed, "an approval moves a request on");
    }
    Ok(reference)
}

async fn verify(deps: &Deps, certificate: &std::path::Path, output: &Output) -> Result<bool> {
    let trust: PathBuf = deps.data.root().join("exports").join("trust");
    export_trust(deps, &trust).await?;
    let report = obelus_verify::run(certificate, &trust, None)?;
    output.tell(&format!(
        "\nobelus verify {} --trust {}\n{}",
        certificate.display(),
        trust.display(),
        obelus_verify::describe(&report, certificate)
    ));
    Ok(report.ok)
}

fn certificate_claims(path: &std::path::Path) -> Result<obelus_ledger::statement::Certificate> {
    use obelus_ledger::{bundle::Bundle, canonical};
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let certificate: Bundle = canonical::from_bytes(&bytes)?;
    let statement: Value = serde_json::from_slice(&certificate.dsse_envelope.payload()?)?;
    Ok(serde_json::from_value(statement["predicate"].clone())?)
}

fn tell_tables(results: &Results, protocol: &Protocol, output: &Output) {
    let [panel, source] = results.tables(protocol);
    output.tell(&format!(
        "\nThe panel: {} sources that the retrain has not seen, each struck alone in memory. Known is the share of facts \
         whose right answer is likelier than the mean wrong one; intervals cover 90 %.\n\n{}",
        results.panel_sources,
        conditions(&panel)
    ));
    output.tell(&format!(
        "\nThe struck source itself: four facts prove nothing alone, its tokens do.\n\n{}",
        conditions(&source)
    ));
    output.tell(&format!("\nVerdict: {}\n\n{}", results.judgement.verdict, crate::commands::audit::attacks(results)));
    for limit in &results.judgement.limits {
        output.tell(limit);
    }
}

/// One row a condition.
fn conditions(summary: &Table) -> String {
    let rows: Vec<Vec<String>> = summary
        .iter()
        .map(|(condition, row)| {
            let share = |metric: &str| {
                row.get(metric).map_or_else(String::new, |e| format!("{:.2}{}", e.value, interval(e.interval)))
            };
            let ratio = row.get("truth_ratio").map_or_else(String::new, |e| format!("{:.2}", e.value.exp()));
            vec![
                condition.to_string(),
                share("specific_known"),
                share("specific_choice"),
                ratio,
                share("shared_known"),
                share("text_loss"),
                share("extraction_strength"),
            ]
        })
        .collect();
    let headings = ["CONDITION", "SPECIFIC KNOWN", "CHOICE", "TRUTH RATIO", "SHARED KNOWN", "TEXT LOSS", "EXTRACTION"];
    table(&headings, &rows)
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |i| format!(" [{:.2}, {:.2}]", i.low, i.high))
}

/// Known share of specific and shared facts under every condition, over all probes of the panel.
fn known_fraction(panel: &Scores) -> Value {
    let share = |condition: &Condition, kind: FactKind| {
        let facts: Vec<bool> = panel
            .plain
            .facts
            .get(condition)
            .into_iter()
            .flatten()
            .filter(|f| f.kind == kind)
            .map(|f| log_truth_ratio(f.answer_log_prob, &f.wrong_log_probs) > 0.0)
            .collect();
        facts.iter().filter(|known| **known).count() as f64 / facts.len().max(1) as f64
    };
    let rows: Map<String, Value> = panel
        .plain
        .facts
        .keys()
        .map(|c| {
            let row = json!({ "specific": share(c, FactKind::Specific), "shared": share(c, FactKind::Shared) });
            (c.to_string(), row)
        })
        .collect();
    Value::Object(rows)
}
