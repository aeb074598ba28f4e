//! Dates of shipped regimes: those that the design fixes, and what holds of all.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use jiff::{ToSpan as _, civil::Date};
use obelus_policy::{Calendar, ClockError, Due, History, Pause, Regime, RegimeFiles, Stop, earliest};
use proptest::prelude::*;

fn regime(name: &str) -> Regime {
    Regime::parse(Regime::shipped(name).unwrap()).unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn since(started: &str) -> History {
    History { started: day(started), stops: vec![], extended: None }
}

fn due(name: &str, clock: &str, history: &History) -> Result<Due, ClockError> {
    let regime = regime(name);
    regime.clock(clock).unwrap().due(history, &regime.calendar)
}

/// Statutory and conservative date.
fn dates(name: &str, clock: &str, history: &History) -> (String, String) {
    match due(name, clock, history).unwrap() {
        Due::By { statutory, conservative, .. } => (statutory.to_string(), conservative.to_string()),
        other => panic!("{other:?}"),
    }
}

fn both(statutory: &str, conservative: &str) -> (String, String) {
    (statutory.to_owned(), conservative.to_owned())
}

fn extended(started: &str, told: &str) -> History {
    History { extended: Some(day(told)), ..since(started) }
}

fn stopped(started: &str, stops: &[(Pause, &str, Option<&str>)]) -> History {
    let stop =
        |(pause, from, to): &(Pause, &str, Option<&str>)| Stop { pause: *pause, from: day(from), to: to.map(day) };
    History { stops: stops.iter().map(stop).collect(), ..since(started) }
}

#[test]
fn every_shipped_regime_is_readable_cites_its_articles_and_waits_for_counsel() {
    for name in Regime::shipped_names() {
        let regime = regime(name);
        assert_eq!(regime.name, name);
        assert_eq!(regime.review, "to be confirmed by counsel");
        assert!(!regime.articles.is_empty());
    }
}

#[test]
fn a_month_ends_on_a_working_day_and_the_safe_date_before_it() {
    assert_eq!(dates("gdpr-art17", "answer", &since("2026-01-31")), both("2026-03-02", "2026-02-27"));
    assert_eq!(dates("gdpr-art17", "answer", &since("2026-11-20")), both("2026-12-21", "2026-12-18"));
    assert_eq!(dates("gdpr-art17", "answer", &since("2026-05-18")), both("2026-06-18", "2026-06-18"));
    let told = extended("2026-01-31", "2026-03-02");
    assert_eq!(dates("gdpr-art17", "answer", &told), both("2026-04-30", "2026-04-30"));
}

#[test]
fn working_days_leave_out_holidays_as_observed() {
    assert_eq!(dates("ccpa", "confirm", &since("2026-01-02")), both("2026-01-16", "2026-01-16"));
    // Washington's Birthday; calendar days wait for nothing, and the safe date is the Friday before.
    assert_eq!(dates("ccpa", "answer", &since("2026-01-02")), both("2026-02-16", "2026-02-13"));
    assert_eq!(dates("ccpa", "answer", &extended("2026-01-02", "2026-02-16")).0, "2026-04-02");
    let put_back = due("dmca-512", "put_back", &since("2026-07-01")).unwrap();
    let (first, last) = (day("2026-07-16"), day("2026-07-22"));
    assert_eq!(put_back, Due::By { statutory: last, conservative: last, not_before: Some(first) });
}

#[test]
fn a_complaints_first_day_counts_and_a_statements_does_not() {
    assert_eq!(dates("uk-gdpr", "acknowledge_complaint", &since("2026-07-01")).0, "2026-07-30");
    assert_eq!(dates("lgpd", "statement", &since("2026-03-01")).0, "2026-03-16");
}

#[test]
fn where_the_law_gives_no_number_none_is_given() {
    for (name, clock) in [("lgpd", "answer"), ("dmca-512", "take_down")] {
        assert_eq!(due(name, clock, &since("2026-01-02")), Ok(Due::WithoutNumber));
    }
    assert!(regime("eu-ai-act-53").clocks.is_empty());
    let windows: Vec<String> =
        Regime::shipped_names().filter_map(|name| Some(format!("{name}: {}", regime(name).dispute_window?))).collect();
    assert_eq!(windows, ["dmca-512: 14 working days"]);
}

#[test]
fn a_clock_stands_still_while_it_is_waited_for_and_goes_on_where_it_was() {
    let asked = [(Pause::Identity, "2026-03-10", None)];
    assert_eq!(due("uk-gdpr", "answer", &stopped("2026-03-02", &asked)), Ok(Due::Stopped { since: day("2026-03-10") }));
    // Without: Thursday the 2nd of April. Seven days later is the 9th; Easter Monday is the 6th.
    assert_eq!(dates("uk-gdpr", "answer", &since("2026-03-02")).0, "2026-04-02");
    let one = [(Pause::Identity, "2026-03-10", Some("2026-03-17"))];
    assert_eq!(dates("uk-gdpr", "answer", &stopped("2026-03-02", &one)).0, "2026-04-09");
    let overlapping = [one[0], (Pause::Clarification, "2026-03-12", Some("2026-03-18"))];
    assert_eq!(dates("uk-gdpr", "answer", &stopped("2026-03-02", &overlapping)).0, "2026-04-10");
    // Good Friday moves to Tuesday.
    let to_friday = [(Pause::Identity, "2026-03-10", Some("2026-03-11"))];
    assert_eq!(dates("uk-gdpr", "answer", &stopped("2026-03-02", &to_friday)), both("2026-04-07", "2026-04-02"));
}

#[test]
fn what_cannot_have_happened_is_refused() {
    let refused = |name: &str, history: &History| due(name, "answer", history).unwrap_err().to_string();
    let asked = [(Pause::Identity, "2026-03-10", None)];
    assert!(refused("gdpr-art17", &stopped("2026-03-02", &asked)).contains("does not stop for Identity"));
    let before = [(Pause::Identity, "2026-03-01", Some("2026-03-05"))];
    assert!(refused("uk-gdpr", &stopped("2026-03-02", &before)).contains("started on 2026-03-02"));
    let backwards = [(Pause::Identity, "2026-03-10", Some("2026-03-05"))];
    assert!(refused("uk-gdpr", &stopped("2026-03-02", &backwards)).contains("to 2026-03-05"));
    assert!(refused("gdpr-art17", &extended("2026-01-31", "2026-03-03")).contains("comes too late"));
    assert!(refused("gdpr-art17", &extended("2026-01-31", "2026-01-30")).contains("comes too late"));
    let confirm = due("ccpa", "confirm", &extended("2026-01-02", "2026-01-05"));
    assert_eq!(confirm, Err(ClockError::NoExtension("confirm".to_owned())));
    // It ran out on the 2nd of April: what is asked on the 3rd stops nothing, and a letter on the 3rd is late.
    let late = stopped("2026-03-02", &[(Pause::Identity, "2026-04-03", Some("2026-05-02"))]);
    assert_eq!(dates("uk-gdpr", "answer", &late).0, "2026-04-02");
    assert!(due("uk-gdpr", "answer", &History { extended: Some(day("2026-04-03")), ..late.clone() }).is_err());
    assert!(due("uk-gdpr", "answer", &History { extended: Some(day("2026-04-02")), ..late }).is_ok());
    // Asked on the last day, it stands still for thirty days, and may be extended until the 5th of May, after a bank holiday.
    let asked = stopped("2026-03-02", &[(Pause::Identity, "2026-04-02", Some("2026-05-02"))]);
    assert_eq!(dates("uk-gdpr", "answer", &asked).0, "2026-05-05");
    assert!(due("uk-gdpr", "answer", &History { extended: Some(day("2026-05-05")), ..asked.clone() }).is_ok());
    assert!(due("uk-gdpr", "answer", &History { extended: Some(day("2026-05-06")), ..asked }).is_err());
}

/// `reference/days_off.csv`: what another program knows of the weekdays off of 26 years.
#[test]
fn days_off_are_those_that_another_program_knows() {
    let mut rows = 0;
    for line in include_str!("reference/days_off.csv").lines().skip(1) {
        let [name, year, days] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let calendar = Calendar::parse(Calendar::shipped(name).unwrap()).unwrap();
        let all = day(&format!("{year}-01-01")).series(1.day()).take_while(|day| day.year().to_string() == year);
        let off = all.filter(|day| !calendar.is_working_day(*day) && (day.weekday().to_monday_zero_offset() < 5));
        let off: Vec<String> = off.map(|day| day.to_string()[5..].to_owned()).collect();
        assert_eq!(off.join(" "), days, "{name} {year}");
        rows += 1;
    }
    assert_eq!(rows, 3 * 26);
}

#[test]
fn of_several_regimes_the_earliest_dates_count() {
    let of = |name: &str| due(name, "answer", &since("2026-01-31")).unwrap();
    let Some(Due::By { statutory, conservative, .. }) = earliest([of("ccpa"), of("lgpd"), of("gdpr-art17")]) else {
        panic!()
    };
    assert_eq!((statutory, conservative), (day("2026-03-02"), day("2026-02-27")));
    assert_eq!(earliest([of("lgpd")]), None);
}

#[test]
fn regimes_that_make_no_sense_are_refused() {
    let RegimeFiles { regime: shipped, calendar } = Regime::shipped("gdpr-art17").unwrap();
    for (from, to, said) in [
        ("P1M", "PT1H", "no period"),
        ("P1M", "P0D", "no period"),
        ("period = \"P2M\"", "working_days = 10", "counts as what it extends"),
        ("\"weekends\"", "\"atlantis\"", "\"weekends\" was given"),
        ("review = \"to be confirmed by counsel\"", "review = \"\"", "who has looked at it"),
        ("due = { period = \"P1M\" }", "", "words where the law gives no number"),
        ("starts = \"receipt\"", "starts = \"whim\"", "unknown variant"),
        ("version = 2", "version = 2\nsurprise = 1", "surprise"),
    ] {
        assert_ne!(shipped.replace(from, to), shipped, "{from}");
        let refused =
            Regime::parse(RegimeFiles { regime: &shipped.replace(from, to), calendar }).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}

fn days() -> impl Strategy<Value = Date> {
    (0..40_000_i64).prop_map(|n| day("1990-01-01").checked_add(n.days()).unwrap())
}

proptest! {
    /// Whatever day a clock starts on: the safe date is a working day and never after the statutory one, which is never before the
    /// plain end of the period; a day later never makes a date earlier.
    #[test]
    fn dates_are_ordered_and_never_go_backwards(started in days(), stood in 0..60_i64) {
        for name in Regime::shipped_names() {
            let regime = regime(name);
            for clock in &regime.clocks {
                let dated = |started: Date| {
                    let stop = Stop { pause: Pause::Identity, from: started, to: Some(started.checked_add(stood.days()).unwrap()) };
                    let stops = if clock.pauses.is_empty() { vec![] } else { vec![stop] };
                    clock.due(&History { started, stops, extended: None }, &regime.calendar).unwrap()
                };
                let (now, next) = (dated(started), dated(started.tomorrow().unwrap()));
                let (Due::By { statutory, conservative, not_before }, Due::By { statutory: later, .. }) = (now, next) else {
                    prop_assert_eq!(now, Due::WithoutNumber);
                    continue;
                };
                prop_assert!(conservative <= statutory && conservative >= started && statutory <= later);
                prop_assert!(conservative == started || regime.calendar.is_working_day(conservative));
                prop_assert!(!clock.moves_to_working_day || regime.calendar.is_working_day(statutory));
                prop_assert!(not_before.is_none_or(|first| first <= statutory && first > started));
            }
        }
    }
}
