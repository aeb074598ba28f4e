//! The document of the interface for programs is the one that is committed, and says what the table of routes says.
//!
//! Not here: what is answered (`api.rs`), and that it is as the document says (`hostile.rs`).

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use obelus_portal::{api_document, routes};
use obelus_testkit::databases;
use serde_json::Value;

use crate::{browser::Browser, house::House};

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

/// `UPDATE_OPENAPI=1 cargo nextest run -p obelus-portal -E 'test(openapi)'` writes it anew.
#[test]
fn the_committed_document_is_the_one_that_the_code_makes() {
    let made = serde_json::to_string_pretty(&api_document()).unwrap() + "\n";
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(committed(), &made).unwrap();
    }
    let committed = fs::read_to_string(committed()).unwrap();
    assert_eq!(committed, made, "docs/openapi.json is of another version: write it anew, as docs/api.md says");
}

#[test]
fn every_route_for_programs_is_in_it_and_nothing_else_is() {
    let document = api_document();
    let of_table: BTreeSet<(String, String)> = routes()
        .iter()
        .filter(|route| route.path.starts_with("/api/"))
        .map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase()))
        .collect();
    let mut of_document = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            of_document.insert((path.clone(), method.clone()));
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{path}: its name is another's");
            let named: Vec<&str> = path.split('{').skip(1).map(|part| part.split_once('}').unwrap().0).collect();
            let parameters = operation["parameters"].as_array().unwrap().iter();
            let given: Vec<&str> =
                parameters.filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
            assert_eq!(named, given, "{path}");
        }
    }
    assert_eq!(of_table, of_document);
}

#[test]
fn every_reference_in_it_leads_somewhere_and_no_body_takes_what_is_unknown() {
    let document = api_document();
    let mut references = Vec::new();
    gather(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(operation) = methods.get("post") else { continue };
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let schema = document.pointer(schema.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{path}: {schema}");
    }
}

fn gather<'v>(value: &'v Value, references: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| gather(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, references)),
        _ => {}
    }
}

#[actix_web::test]
async fn it_is_served_to_everybody() {
    let house = House::on(&databases().await.remove(0)).await;
    let service = house.service().await;
    let page = Browser::program(&service).get("/api/v1/openapi.json").await.is(200);
    assert_eq!(page.json(), api_document());
}
