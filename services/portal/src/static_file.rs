//! Files that are part of the program: the stylesheet, the icon, and the verifier for browsers, which has a policy of its
//! own. Not here: files of the data directory (`served_file.rs`).

use std::sync::OnceLock;

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};
use obelus_core::Digest;
use rust_embed::RustEmbed;

use crate::{dispatch::Call, problem::Problem, route::Answer};

#[derive(RustEmbed)]
#[folder = "../../web/static"]
struct Files;

const STYLESHEET: &str = "obelus.css";
const PROGRESS: &str = "progress.js";
const VERIFIER: &str = "verify.html";

/// What may be asked for by name, and its type.
const SERVED: &[(&str, &str)] = &[
    (STYLESHEET, "text/css; charset=utf-8"),
    (PROGRESS, "text/javascript; charset=utf-8"),
    ("icon.svg", "image/svg+xml"),
];

/// The address of the stylesheet. Another version has another address, so that browsers may keep each for ever.
pub(crate) fn stylesheet() -> String {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| address(STYLESHEET)).clone()
}

/// The address of the script that tells how far work is.
pub(crate) fn progress() -> String {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| address(PROGRESS)).clone()
}

fn address(name: &str) -> String {
    let bytes = Files::get(name).map(|file| file.data).unwrap_or_default();
    let digest = Digest::sha256(&bytes).to_string();
    format!("/static/{name}?v={}", &digest[..16])
}

/// `/static/{name}`.
pub(crate) async fn serve(call: Call) -> Answer {
    let name = call.part("name");
    let found = SERVED.iter().find(|(served, _)| *served == name);
    let found = found.and_then(|(served, kind)| Some((Files::get(served)?, *kind)));
    let missing = || Problem::not_found("There is no such file in this version of the portal. Open the page again.");
    let (file, kind) = found.ok_or_else(missing)?;
    // The icon has no version in its address.
    let keep = if call.query("v").is_empty() { "public, max-age=3600" } else { "public, max-age=31536000, immutable" };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, keep)];
    let mut answer = HttpResponse::Ok();
    for header in headers {
        answer.insert_header(header);
    }
    Ok(answer.body(file.data.into_owned()))
}

/// `/verify`: the page that checks a certificate in the browser.
pub(crate) async fn verifier(_: Call) -> Answer {
    let page = Files::get(VERIFIER).ok_or_else(Problem::internal)?.data.into_owned();
    let policy = policy_of(&page).ok_or_else(Problem::internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, format!("{policy}; frame-ancestors 'none'")))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(page))
}

/// The policy that the page has in itself, with the digests of its script and style: the header must allow the same.
fn policy_of(page: &[u8]) -> Option<String> {
    let page = std::str::from_utf8(page).ok()?;
    let (_, after) = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"")?;
    let (policy, _) = after.split_once('"')?;
    Some(policy.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifiers_policy_is_read_from_it_and_allows_nothing_to_leave() {
        let policy = policy_of(&Files::get(VERIFIER).unwrap().data).unwrap();
        for part in ["default-src 'none'", "script-src 'sha256-", "connect-src 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn every_served_file_is_there() {
        for (name, _) in SERVED {
            assert!(Files::get(name).is_some(), "web/static/{name}");
        }
    }
}
