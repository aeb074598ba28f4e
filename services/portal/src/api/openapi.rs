//! The document of the interface for programs (OpenAPI 3.1), made from the table of routes and from the types that are read and
//! written. It is committed as `docs/openapi.json`, and a test holds the two together. Not here: what operations do.

use std::collections::BTreeSet;

use schemars::{SchemaGenerator, generate::Contract, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    ApiCall,
    entrance::MOST_LINES,
    operation::{Operation, Reply},
};
use crate::{
    problem::Problem,
    route::{Route, Who},
    routes::routes,
};

const ABOUT: &str = "What programs do with an installation of Obelus: reading cases, filing requests, taking the steps of a \
    case, and reading what is public. A token is issued on the page /settings/tokens and sent as `Authorization: Bearer \
    TOKEN`; it does what its scopes say and never more than the person who issued it may. Cookies count for nothing. \
    Approving a plan and releasing a hold take a person who has just entered a password: no token does that. Every error is \
    a problem (RFC 9457), whose `type` programs can rely on.";

/// `GET /api/v1/openapi.json`.
pub(crate) async fn show(_: ApiCall) -> Result<Reply<Value>, Problem> {
    Ok(Reply::ok(document()))
}

/// The document, with its names in the order of the alphabet.
pub fn document() -> Value {
    // What is read and what is written differ in which fields must be there.
    let generator = |contract| {
        let change = |settings: &mut SchemaSettings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
        };
        SchemaSettings::draft2020_12().with(change).into_generator()
    };
    let (mut taken, mut told) = (generator(Contract::Deserialize), generator(Contract::Serialize));
    let mut paths = Map::new();
    for route in &routes() {
        let Some(operation) = route.operation() else { continue };
        let described = operation_of(route, operation, &mut taken, &mut told);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = described;
    }
    let mut schemas = taken.take_definitions(true);
    schemas.extend(told.take_definitions(true));
    schemas.insert("Problem".to_owned(), problem());
    sorted(json!({
        "openapi": "3.1.0",
        "info": { "title": "Obelus", "version": "1", "summary": "Requests to strike sources, and their cases", "description": ABOUT },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Issued on the page /settings/tokens." },
            },
        },
    }))
}

fn operation_of(
    route: &Route,
    operation: &Operation,
    taken: &mut SchemaGenerator,
    told: &mut SchemaGenerator,
) -> Value {
    let (needs, scopes) = match route.who {
        Who::ProgramMay(scope, action) | Who::ProgramMayInCases(scope, action) => (
            format!(" Takes a token of the scope `{scope}`, of somebody who may `{action}`."),
            Some(vec![scope.name()]),
        ),
        Who::Program => (" Takes a token of any scope.".to_owned(), Some(Vec::new())),
        _ => (String::new(), None),
    };
    let never = if route.fresh { " Refused to every token: a person does it on the page of the case." } else { "" };
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.says,
        "description": format!("{}.{needs}{never}", operation.says),
        "parameters": parameters(route, operation),
        "responses": responses(route, operation, told),
        "security": scopes.map_or_else(|| json!([]), |scopes| json!([{ "token": scopes }])),
    });
    if let Some(body) = operation.body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body(taken) } } });
    }
    described
}

fn parameters(route: &Route, operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (name, pattern, says) in [
        ("reference", "^[A-Za-z0-9-]{1,40}$", "The reference of the request, such as OB-2026-000001."),
        ("id", "^CT-[A-Z0-9-]{1,37}$", "The name of the certificate, such as CT-2026-000001."),
    ] {
        if route.path.contains(&format!("{{{name}}}")) {
            let schema = json!({ "type": "string", "pattern": pattern });
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "description": says, "schema": schema }));
        }
    }
    if operation.is_paged {
        let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9-]{0,40}$" });
        let says = "The `next` of the page before; without it the list begins.";
        parameters.push(json!({ "name": "after", "in": "query", "description": says, "schema": schema }));
        let schema = json!({ "type": "integer", "minimum": 1, "maximum": MOST_LINES, "default": 50 });
        let says = "Lines of the page.";
        parameters.push(json!({ "name": "limit", "in": "query", "description": says, "schema": schema }));
    }
    if operation.is_once {
        let schema = json!({ "type": "string", "pattern": "^[!-~]{1,200}$" });
        let says = "A text of the caller's choice, such as a UUID: for a day the same key with the same token and body does \
                    it once, and answers the same again.";
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "description": says, "schema": schema }));
    }
    parameters
}

fn responses(route: &Route, operation: &Operation, told: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let reply = (operation.reply)(told);
    let content = json!({ "application/json": { "schema": reply } });
    if operation.is_once {
        let location = json!({ "description": "Where it is.", "schema": { "type": "string" } });
        let made = json!({ "description": "It was done.", "headers": { "Location": location }, "content": content });
        responses.insert("201".to_owned(), made);
        let again = json!({ "description": "It was done before, by this key.", "content": content });
        responses.insert("200".to_owned(), again);
    } else if !route.fresh {
        responses.insert("200".to_owned(), json!({ "description": "As asked.", "content": content }));
    }
    for (status, says) in problems(route) {
        let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
        responses.insert(status.to_string(), json!({ "description": says, "content": content }));
    }
    responses.into()
}

/// What can go wrong at a route.
fn problems(route: &Route) -> Vec<(u16, &'static str)> {
    let mut problems =
        vec![(400, "The request cannot be read."), (500, "The fault is ours, and was written to the server's log.")];
    if route.who != Who::Public {
        problems.push((401, "There is no token, or it is not accepted."));
        problems.push((403, "The token was not issued for this, or the rules refuse it to its owner."));
        problems.push((429, "There were too many tries in a short time; Retry-After says when to go on."));
    }
    if route.path.contains('{') || route.path == "/api/v1/log" || route.is_unsafe() {
        problems.push((404, "There is nothing of this name."));
    }
    if route.is_unsafe() {
        problems.push((408, "It took too long to arrive or to do."));
        problems.push((409, "It cannot be done as the case stands."));
        problems.push((413, "The body is too large."));
        problems.push((415, "The body is not sent as application/json."));
        problems.push((422, "The body is JSON and not what is taken here."));
    }
    problems
}

fn problem() -> Value {
    let text = |says: &str| json!({ "type": "string", "description": says });
    let field = json!({
        "type": "object",
        "properties": { "field": text("The field."), "detail": text("What is wrong with it, and what to do.") },
        "required": ["field", "detail"],
    });
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": text("urn:obelus:problem: and the kind of problem, which stays the same between versions."),
            "title": text("The kind in words."),
            "status": { "type": "integer", "description": "The status of the answer." },
            "detail": text("What went wrong here, and what to do next."),
            "instance": text("The path that was asked for."),
            "errors": { "type": "array", "description": "Fields that cannot be.", "items": field },
        },
        "required": ["type", "title", "status", "detail", "instance"],
    })
}

/// The same with every name in order. Which order a map keeps differs with what else is built.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let names: BTreeSet<String> = fields.keys().cloned().collect();
            let mut fields = fields;
            let take = |name: String| fields.remove(&name).map(|value| (name, sorted(value)));
            Value::Object(names.into_iter().filter_map(take).collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        other => other,
    }
}
