//! A request made without a mouse. Not here: what is asked.

use obelus_testkit::browser::{DOWN, ENTER, SPACE, TAB};

use super::Visitor;

/// Whether the element with the focus is in the window and looks otherwise than without it; null when none has it.
const FOCUS_IS_SEEN: &str = "
    const one = document.activeElement, style = getComputedStyle(one);
    const { left, top, right, bottom } = one.getBoundingClientRect();
    const marked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== 'none';
    return marked && one.matches(':focus-visible') && left >= 0 && top >= 0 && left < innerWidth && top < innerHeight";

/// Goes on from field to field until the focus is on an element, and fails where on the way it is not seen.
#[track_caller]
fn tab_to(visitor: &Visitor, element: &str) {
    for _ in 0..60 {
        visitor.browser.press(&TAB.to_string());
        let here = visitor.browser.run("return document.activeElement.outerHTML.slice(0, 150)");
        assert_eq!(visitor.browser.run(FOCUS_IS_SEEN), true, "the focus is not seen on {here}");
        if visitor.browser.run(&format!("return document.activeElement.matches(\"{element}\")")) == true {
            return;
        }
    }
    panic!("no way leads to {element} by the tab key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_made_by_keyboard_alone() {
    let Some(visitor) = Visitor::start("keyboard").await else { return };
    let (browser, enter) = (&visitor.browser, ENTER.to_string());
    browser.resize(1280, 900);
    visitor.open("/");
    // The first stop leads past everything that every page has.
    browser.press(&TAB.to_string());
    assert_eq!(browser.run("return document.activeElement.className"), "skip");
    assert_eq!(browser.run(FOCUS_IS_SEEN), true);
    browser.press(&enter);
    assert_eq!(browser.run("return document.activeElement.id"), "main");
    browser.press(&TAB.to_string());
    assert_eq!(browser.run("return document.activeElement.getAttribute('href')"), "/request/new");
    browser.press_through(&enter);
    visitor.is_at("/request/new");

    // Every page of it: what is typed or chosen, then the button.
    let go_on = |link: &str| {
        tab_to(&visitor, link);
        browser.press_through(&enter);
    };
    go_on("main a.button");
    for (field, text) in [("name", "Ada Lovelace"), ("email", "ada@example.org")] {
        tab_to(&visitor, &format!("#{field}"));
        browser.press(text);
    }
    go_on("main button");
    tab_to(&visitor, "[name=regime]");
    browser.press(&SPACE.to_string());
    let law = browser.run("return document.querySelector('[name=regime]:checked').value");
    browser.press(&DOWN.to_string());
    assert_ne!(browser.run("return document.querySelector('[name=regime]:checked').value"), law);
    go_on("main button");
    tab_to(&visitor, "[name=model]");
    browser.press(&SPACE.to_string());
    go_on("main button");
    for (field, text) in [("subject", "My letters"), ("passage", "Dear Mary,")] {
        tab_to(&visitor, &format!("#{field}"));
        browser.press(text);
    }
    go_on("main button");
    go_on("main a.button");
    tab_to(&visitor, "[name=capacity]");
    browser.press(&SPACE.to_string());
    go_on("main button");
    tab_to(&visitor, "#statement");
    browser.press("Take them out.");
    for declared in ["entitled", "true"] {
        tab_to(&visitor, &format!("#declared-{declared}"));
        browser.press(&SPACE.to_string());
    }
    go_on("main button");
    visitor.is_at("/request/new/check");
    go_on("main button");
    assert!(visitor.path().starts_with("/r/OB-"), "{}", browser.text());
    go_on("main a.button");
    visitor.says("We have your request.");
    // And a way back out of every page: its links and buttons are all reached.
    tab_to(&visitor, "summary");
    browser.press(&enter);
    tab_to(&visitor, "button.warn");
}
