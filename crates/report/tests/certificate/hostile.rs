//! Text from outside that tries to be more than text. Not here: what it is about.

use obelus_report::certificate::{CertificatePage, render};

use crate::{
    check,
    pages::page,
    programs::{Paper, squeezed},
};

/// Markup of the typesetter, of SVG and of PDF, and other text that is not as it looks.
const HOSTILE: [&str; 16] = [
    "#read(\"/etc/passwd\")",
    "#include \"/etc/passwd\"",
    "#import \"@preview/evil:1.0.0\"",
    "#panic(\"stop\")",
    "#sys.inputs.bundle",
    "*bold* _emph_ `raw` = heading",
    "$x^2$ @label <label> https://example.org",
    "- list // comment /* comment */",
    "]} #[ ) \\",
    "</svg><script>alert(1)</script>",
    "&amp; &#x41; <!-- x --> ]]>",
    "(a) Tj ET endstream endobj",
    "~ -- --- ... \"quoted\" 'single'",
    "fi ffi ffl Th",
    "{\"json\": [1, 2]}",
    "%PDF-1.7 %%EOF",
];

fn with_sources(sources: &[&str]) -> CertificatePage {
    CertificatePage { sources: sources.iter().map(|source| (*source).to_owned()).collect(), ..page("verified") }
}

#[test]
fn text_from_outside_is_printed_and_never_obeyed() {
    check(&with_sources(&HOSTILE), &HOSTILE);
}

#[test]
fn every_field_takes_any_text() {
    for text in HOSTILE {
        let mut page = with_sources(&[text]);
        for field in [
            &mut page.id,
            &mut page.model,
            &mut page.request,
            &mut page.regime,
            &mut page.operator,
            &mut page.baseline,
            &mut page.protocol,
            &mut page.challenges,
            &mut page.recipe,
            &mut page.log_origin,
            &mut page.limits[0],
            &mut page.residuals[0].name,
            &mut page.known[0].condition,
        ] {
            *field = text.to_owned();
        }
        let (figure, target) = (&mut page.figures[0], &mut page.targets[0]);
        for field in [&mut figure.name, &mut figure.residual, &mut target.kind, &mut target.path, &mut target.level] {
            *field = text.to_owned();
        }
        let Some(found) = check(&page, &[text]) else { return };
        assert!(found.matches(&squeezed(text)).count() >= 17, "{text} in {found}");
        assert!(!found.contains("root:x:"));
    }
}

#[test]
fn what_cannot_be_seen_is_written_as_its_number() {
    let sources = ["gazette\u{202e}2024", "a\0b\u{7}c\nd\te", "zero\u{200b}width", "\u{feff}", "中😀"];
    let expected =
        ["gazette‹U+202E›2024", "a‹U+0000›b‹U+0007›c‹U+000A›d‹U+0009›e", "zero‹U+200B›width", "‹U+4E2D›‹U+1F600›"];
    check(&with_sources(&sources), &expected);
}

#[test]
fn other_scripts_are_set() {
    let Some(text) = check(&with_sources(&["Правда", "Ελευθερία", "ŻółtyŁabędź", "שלום", "العربية"]), &[])
    else {
        return;
    };
    // Programs disagree on whether they print what reads from the right in its own order or in that of the eye.
    for word in ["Правда", "Ελευθερία", "ŻółtyŁabędź", "שלום"] {
        let turned: String = word.chars().rev().collect();
        assert!(text.contains(word) || text.contains(&turned), "{word} in {text}");
    }
}

#[test]
fn a_long_id_is_broken_inside_of_the_page_and_shortened_with_its_digest() {
    let long = "x".repeat(4096);
    let page = with_sources(&[&long]);
    let text = check(&page, &["and 3096 more characters"]);
    let paper = Paper::new(&render(&page).unwrap());
    let Some(boxes) = paper.ask("pdftotext", &["-bbox", "page.pdf", "-"]) else { return };
    let right = |line: &str| line.split("xMax=\"").nth(1)?.split('"').next()?.parse::<f64>().ok();
    let farthest = boxes.lines().filter_map(right).fold(0.0, f64::max);
    assert!(farthest > 400.0 && farthest < 595.0 - 60.0, "{farthest}");
    let Some(text) = text else { return };
    assert!(text.contains(&obelus_core::Digest::sha256(&long).to_string()));
    // Once shorter in the summary, and once in the list, whether or not a page ends inside of it.
    assert!(text.matches('x').count() > 1160);
}

#[test]
fn letters_of_every_kind_give_a_pdf() {
    // Each block of Unicode a source, a few hundred letters of each: none may stop a certificate.
    let sources: Vec<String> = (0..40_u32)
        .map(|block| (block * 0x400..(block + 1) * 0x400).step_by(7).filter_map(char::from_u32).collect())
        .collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    check(&with_sources(&sources), &[]);
}
