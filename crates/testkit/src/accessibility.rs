//! What keeps somebody from using a page, whatever it is about: what axe-core finds, what scrolls sideways when it is
//! enlarged, and what is too small to be hit. Not here: whether a page can be used by keyboard alone, which is a journey.

use serde_json::Value;

use crate::{browser::Browser, outsiders};

/// Every rule of WCAG 2.2 at A and AA that a program can judge, and what axe-core's authors advise beside.
const RULES: &str = "{ runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
    'best-practice'] }, rules: { 'target-size': { enabled: true } }, resultTypes: ['violations'] }";

/// What reaches out of the window at the side, unless it scrolls by itself.
const SIDEWAYS: &str = "
    const page = document.documentElement, wide = page.scrollWidth, room = page.clientWidth;
    if (wide <= room) return [];
    const inner = (one) => one.parentElement?.closest('.scroll') !== null;
    const out = [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > room);
    const names = out.filter((one) => !inner(one)).map((one) => one.outerHTML.slice(0, 120));
    return [`scrolls sideways: ${wide} pixels where there are ${room}`, ...names.slice(-3)]";

/// What can be hit and is smaller than 24 by 24 pixels, but for links in a line of text and what is not seen.
const SMALL: &str = "
    const targets = document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary');
    const small = [...targets].filter((one) => {
        const { width, height } = one.getBoundingClientRect();
        const inline = one.matches('a') && getComputedStyle(one).display === 'inline';
        return !inline && !one.matches('.skip, .unseen') && width > 0 && (width < 24 || height < 24);
    });
    return small.map((one) => `smaller than 24 pixels: ${one.outerHTML.slice(0, 120)}`)";

/// The program axe-core. None where it is missing, after saying so; under CI that is a failure.
pub fn axe() -> Option<String> {
    outsiders::node_file("axe-core/axe.min.js")
}

/// What is wrong with the page that is open, each in a line; in the window of 320 pixels that it leaves behind.
///
/// # Panics
/// When the browser does not answer.
pub fn barriers(browser: &Browser, axe: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(axe) = axe {
        let judged = browser.wait_for_promise(axe, &format!("axe.run({RULES})"));
        let violations = judged["violations"].as_array().expect("axe-core gives a list");
        found.extend(violations.iter().flat_map(in_words));
    }
    browser.resize(320, 640);
    for script in [SIDEWAYS, SMALL] {
        let lines = browser.run(script);
        let lines = lines.as_array().expect("the script gives a list").iter();
        found.extend(lines.filter_map(Value::as_str).map(str::to_owned));
    }
    found
}

/// A violation at each place where it is.
fn in_words(violation: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (rule, impact, help) = (word(&violation["id"]), word(&violation["impact"]), word(&violation["help"]));
    let places = violation["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    places.iter().map(|node| format!("{rule} ({impact}), {help}: {}", word(&node["html"]))).collect()
}
