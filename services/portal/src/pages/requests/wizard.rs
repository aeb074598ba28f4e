//! The pages that ask for a request, one question each, without scripts: every answer is kept when its page is sent, and the
//! browser is led on, so that going back and loading again show what was answered. Not here: sending it (`ask.rs`).

use actix_web::HttpResponse;
use askama::Template;
use obelus_casework::{
    declarations,
    public_match::{self, PublicMatch},
};
use obelus_store::models;

use super::{
    answers::{Answers, offered},
    ask::CAPACITIES,
    draft,
    question::{CHECK, MATCHES, Question, rights},
};
use crate::{
    caller::Caller,
    cookie::{self, Kind},
    dispatch::{Call, address, see_other},
    form::FieldErrors,
    page::Layout,
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "request_new.html")]
struct StartPage {
    layout: Layout,
    has_models: bool,
    /// Where somebody who has begun goes on.
    goes_on: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "request_question.html")]
struct QuestionPage {
    layout: Layout,
    errors: FieldErrors,
    question: Question,
    back: &'static str,
    choices: Vec<Choice>,
    name: Shown,
    email: Shown,
    subject: Shown,
    passage: Shown,
    authority: Shown,
    statement: Shown,
}

struct Choice {
    value: String,
    words: Shown,
    hint: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "request_matches.html")]
struct MatchesPage {
    layout: Layout,
    /// None where nobody has looked.
    matches: Option<Vec<Told>>,
    next: &'static str,
}

struct Told {
    source: Option<Shown>,
    publisher: Shown,
    sources: u64,
}

#[derive(Template)]
#[template(path = "request_check.html")]
struct CheckPage {
    layout: Layout,
    /// What is wrong, and where that is put right.
    errors: Vec<(String, String)>,
    lines: Vec<Line>,
    is_whole: bool,
}

/// A question as it was answered.
struct Line {
    path: &'static str,
    label: &'static str,
    /// One below the other.
    answers: Vec<Shown>,
    is_wrong: bool,
}

/// `GET /request/new`.
pub(crate) async fn start(call: Call) -> Answer {
    let models = models::list(&call.portal.deps.work.db).await?;
    let goes_on = match draft::answers(&call).await? {
        Some(answers) => Some(Question::next(&answers.errors(&models, call.now())?)),
        None => None,
    };
    let layout = call.form_layout("Ask for something to be taken out of a model")?;
    call.show(&StartPage { layout, has_models: offered(&models).next().is_some(), goes_on })
}

/// `GET` of a question.
pub(crate) async fn question(call: Call, question: Question) -> Answer {
    let answers = draft::answers(&call).await?.unwrap_or_default();
    call.show(&question_page(&call, question, &answers, FieldErrors::default()).await?)
}

async fn question_page(
    call: &Call,
    question: Question,
    answers: &Answers,
    errors: FieldErrors,
) -> Result<QuestionPage, Problem> {
    let models = models::list(&call.portal.deps.work.db).await?;
    let is_whole = answers.errors(&models, call.now())?.is_empty();
    let choice = |value: &str, words: &str, hint, chosen| Choice {
        value: value.to_owned(),
        words: Shown::new(words),
        hint,
        chosen,
    };
    let models: Vec<_> = offered(&models).map(|model| model.name.as_str()).collect();
    let is_declared = |name: &str| answers.declared.iter().any(|declared| declared == name);
    let choices = match question {
        Question::Who | Question::Work => Vec::new(),
        Question::Right => {
            rights().map(|right| choice(right.name, &right.title, right.hint, answers.regime == right.name)).collect()
        }
        // Where there is one only it is that one.
        Question::Model => {
            models.iter().map(|name| choice(name, name, "", answers.model == **name || models.len() == 1)).collect()
        }
        Question::Authority => {
            CAPACITIES.iter().map(|(value, words)| choice(value, words, "", answers.capacity == *value)).collect()
        }
        Question::Statements => declarations::of(&answers.regime)
            .iter()
            .map(|declared| choice(declared.name, declared.words, "", is_declared(declared.name)))
            .collect(),
    };
    Ok(QuestionPage {
        layout: call.form_layout(question.title())?,
        errors,
        question,
        // Whoever changes an answer came from the page of all of them.
        back: if is_whole { CHECK } else { question.before() },
        choices,
        name: Shown::new(&answers.name),
        email: Shown::new(&answers.email),
        subject: Shown::new(&answers.subject),
        passage: Shown::new(&answers.passage),
        authority: Shown::new(&answers.authority),
        statement: Shown::new(&answers.statement),
    })
}

/// `POST` of a question.
pub(crate) async fn answer(call: Call, question: Question) -> Answer {
    outsiders(&call)?;
    let mut answers = draft::answers(&call).await?.unwrap_or_default();
    answers.take(question, &call.fields);
    let models = models::list(&call.portal.deps.work.db).await?;
    let all = answers.errors(&models, call.now())?;
    let errors = question.errors(&all);
    if !errors.is_empty() {
        return call.show_again(&question_page(&call, question, &answers, errors).await?);
    }
    let mut next = Question::next(&all);
    if matches!(question, Question::Model | Question::Work) {
        answers.matches = look(&call, &answers).await?;
    }
    if question == Question::Work {
        next = MATCHES;
    }
    let token = draft::keep(&call, &answers).await?;
    let mut leads = see_other(next);
    if let Some(token) = token {
        let cookie = cookie::holding(&call.portal.deps.settings.origin, Kind::Draft, &token);
        leads.add_cookie(&cookie).map_err(anyhow::Error::from)?;
    }
    Ok(leads)
}

/// What the register says to the model and the subject. None where nobody looks: people do, later.
async fn look(call: &Call, answers: &Answers) -> Result<Option<Vec<PublicMatch>>, Problem> {
    let from = address(&call.request, call.portal.deps.settings.proxy);
    let is_named = !answers.subject.is_empty() && !answers.model.is_empty();
    // Whoever goes through a list of names gets to its end slowly.
    if !is_named || !call.portal.limits.allow_account(&format!("look from {from}")) {
        return Ok(None);
    }
    public_match::find(&call.portal.deps.work, &answers.model, &answers.subject).await.map_err(Problem::of_case)
}

/// `GET /request/new/matches`.
pub(crate) async fn matches(call: Call) -> Answer {
    let answers = draft::answers(&call).await?.unwrap_or_default();
    let models = models::list(&call.portal.deps.work.db).await?;
    let told = |found: PublicMatch| Told {
        source: found.source.as_deref().map(Shown::new),
        publisher: Shown::new(&found.publisher),
        sources: found.sources,
    };
    let next = Question::next(&answers.errors(&models, call.now())?);
    let matches = answers.matches.map(|found| found.into_iter().map(told).collect());
    call.show(&MatchesPage { layout: call.layout("What may be meant")?, matches, next })
}

/// `GET /request/new/check`.
pub(crate) async fn check(call: Call) -> Answer {
    let answers = draft::answers(&call).await?.unwrap_or_default();
    call.show(&check_page(&call, &answers, false).await?)
}

/// The answers with what is wrong in them, after somebody tried to send them.
pub(super) async fn check_again(call: &Call, answers: &Answers) -> Answer {
    call.show_again(&check_page(call, answers, true).await?)
}

async fn check_page(call: &Call, answers: &Answers, tells: bool) -> Result<CheckPage, Problem> {
    let models = models::list(&call.portal.deps.work.db).await?;
    let errors = answers.errors(&models, call.now())?;
    let right = rights().find(|right| right.name == answers.regime).map(|right| right.title).unwrap_or_default();
    let capacity = CAPACITIES.iter().find(|(value, _)| *value == answers.capacity).map_or("", |(_, words)| words);
    let filing = answers.filing(call.now());
    let declared = filing.declarations.iter().map(String::as_str);
    let lines: [(Question, &str, Vec<&str>); 8] = [
        (Question::Who, "Your name", vec![&answers.name]),
        (Question::Who, "Your email address", vec![&answers.email]),
        (Question::Right, "The right", vec![&right]),
        (Question::Model, "The model", vec![&answers.model]),
        (Question::Work, "What it is about", vec![&answers.subject, &answers.passage]),
        (Question::Authority, "As whom you ask", vec![capacity, &answers.authority]),
        (Question::Statements, "What you ask, and why", vec![&answers.statement]),
        (Question::Statements, "What you declare", declared.collect()),
    ];
    let line = |(question, label, answers): (Question, _, Vec<&str>)| Line {
        path: question.path(),
        label,
        answers: answers.into_iter().filter(|text| !text.is_empty()).map(Shown::new).collect(),
        is_wrong: tells && !question.errors(&errors).is_empty(),
    };
    let leads = |(field, what): &(&str, String)| (format!("{}#{field}", Question::of(field).path()), what.clone());
    Ok(CheckPage {
        layout: call.form_layout("Check your answers")?,
        errors: errors.list().iter().filter(|_| tells).map(leads).collect(),
        lines: lines.map(line).into(),
        is_whole: errors.is_empty(),
    })
}

/// `POST /request/new/forget`.
pub(crate) async fn forget(call: Call) -> Answer {
    draft::forget(&call).await?;
    let mut leads: HttpResponse = see_other("/request/new");
    let cookie = cookie::without(&call.portal.deps.settings.origin, Kind::Draft);
    leads.add_cookie(&cookie).map_err(anyhow::Error::from)?;
    Ok(leads)
}

/// Makes sure that nobody who works here asks in the name of a stranger.
pub(super) fn outsiders(call: &Call) -> Result<(), Problem> {
    if matches!(call.caller, Caller::Person(_)) {
        let detail = "You are signed in as somebody who works here. Sign out to ask for yourself; requests that came by \
                      another way are filed by obelus request file.";
        return Err(Problem::forbidden(detail));
    }
    Ok(())
}
