//! Which sources a case may mean, and what each match rests on: looked for by what was filed, or by words that the reader gives.
//! The reader says which are meant; nothing is chosen by the program.

use askama::Template;
use obelus_casework::{case, filing::Filing, finding};
use obelus_ledger::canonical;
use obelus_policy::Action;
use obelus_search::{MAX_TEXT_BYTES, Query, SearchError};
use obelus_store::filings;

use crate::{dispatch::Call, page::Layout, problem::Problem, route::Answer, shown::Shown};

/// By what sources are looked for: what is sent, and what is shown.
const WAYS: &[(&str, &str)] = &[
    ("text", "a passage of the text"),
    ("title", "a title"),
    ("publisher", "who published it"),
    ("name", "a person or work that is named in it"),
    ("id", "an id"),
];

#[derive(Template)]
#[template(path = "case_find.html")]
struct FindPage {
    layout: Layout,
    reference: Shown,
    ways: Vec<Way>,
    words: Shown,
    /// None where nothing was looked for.
    found: Option<Vec<Line>>,
    caveats: Vec<Shown>,
    /// Why nothing could be looked for.
    trouble: Option<Shown>,
}

struct Way {
    value: &'static str,
    label: &'static str,
    chosen: bool,
}

struct Line {
    source: Shown,
    why: Shown,
    /// Most of it is in what was asked for, or the other way about.
    is_meant: bool,
}

/// `GET /cases/{reference}/find`: the form, with what was filed in it.
pub(crate) async fn form(call: Call) -> Answer {
    let (by, words) = filed(&call).await?;
    call.show(&page(&call, &by, &words)?)
}

/// `POST /cases/{reference}/find`. It changes nothing; a passage is too long for an address.
pub(crate) async fn find(call: Call) -> Answer {
    let request = permitted(&call).await?;
    let (by, words) = (call.text("by")?, call.text("words")?);
    let mut shown = page(&call, &by, &words)?;
    let query = match by.as_str() {
        "text" if words.len() <= MAX_TEXT_BYTES => Query::Text(words),
        "text" => return Err(Problem::too_large(MAX_TEXT_BYTES)),
        "title" => Query::Title(words),
        "publisher" => Query::Publisher(words),
        "name" => Query::Name(words),
        "id" => Query::Id(words),
        _ => return Err(Problem::unreadable("Choose by what to look.")),
    };
    match finding::find(&call.portal.deps.work, &request.model, query).await {
        Ok(finding) => {
            let line = |found: &obelus_search::Match| Line {
                source: Shown::new(&found.source),
                why: Shown::new(&finding::reasons(found)),
                is_meant: finding.sources.contains(&found.source),
            };
            shown.found = Some(finding.matches.iter().map(line).collect());
            shown.caveats = finding.caveats().iter().map(|line| Shown::new(line)).collect();
        }
        Err(error) => match error.downcast_ref::<SearchError>() {
            Some(SearchError::NoWords { .. } | SearchError::TooLong { .. }) => {
                shown.trouble = Some(Shown::new(&error.to_string()));
            }
            _ => return Err(Problem::of_case(error)),
        },
    }
    call.show(&shown)
}

async fn permitted(call: &Call) -> Result<obelus_store::requests::Request, Problem> {
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    let name = &call.person()?.name;
    case::permitted(work, name, Action::MatchSources, Some(reference)).await.map_err(Problem::of_case)?;
    case::existing(work, reference).await.map_err(Problem::of_case)
}

/// What was filed, for those who may read personal data: the passage, else what it is about.
async fn filed(call: &Call) -> Result<(String, String), Problem> {
    permitted(call).await?;
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    let name = &call.person()?.name;
    let personal = case::permitted(work, name, Action::ReadPersonalData, Some(reference)).await.is_ok();
    let document = filings::get(&work.db, reference).await?.and_then(|filing| filing.document).filter(|_| personal);
    let filing = document.and_then(|bytes| canonical::from_bytes::<Filing>(&bytes).ok());
    Ok(match filing {
        Some(filing) if !filing.passage.is_empty() => ("text".to_owned(), filing.passage),
        Some(filing) => ("name".to_owned(), filing.subject),
        None => ("text".to_owned(), String::new()),
    })
}

fn page(call: &Call, by: &str, words: &str) -> Result<FindPage, Problem> {
    let reference = call.reference()?;
    let layout = call.form_layout(&format!("Sources of case {reference}"))?.under(&[("/cases", "Cases")]);
    let way = |(value, label): &(&'static str, &'static str)| Way { value, label, chosen: *value == by };
    let (reference, words) = (Shown::new(reference), Shown::new(words));
    let ways = WAYS.iter().map(way).collect();
    Ok(FindPage { layout, reference, ways, words, found: None, caveats: Vec::new(), trouble: None })
}
