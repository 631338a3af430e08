use super::*;
use crate::page::{Direction, SortBy, sample};

fn page(overview: &Overview, ask: &Ask) -> String {
    let html = overview_page(overview, ask).unwrap();
    assert!(
        !html.contains("<script") && !html.contains(" style=") && !html.contains("onclick"),
        "the policy forbids it"
    );
    html
}

#[test]
fn a_full_page_says_its_moment_and_that_it_is_made_up() {
    let html = page(&sample::overview(), &Ask::default());
    for said in [
        "Everything on this page is made up",
        "Friday 20 November 2026",
        "24 November 2026 at 9:05am",
        "28 of 30",
        "2 schools are missing",
        "Absence was above England’s in the latest settled week",
        "30 of 30 schools shown",
        "metrics.area_week, version 1",
        "no data",
    ] {
        assert!(html.contains(said), "{said}");
    }
}

#[test]
fn a_page_without_any_figure_says_so_everywhere() {
    let html = page(&Overview { authority: "Westmere".into(), ..Overview::default() }, &Ask::default());
    assert!(html.matches("No data").count() >= 5, "{}", html.matches("No data").count());
    assert!(!html.contains("made up") && !html.contains("0.0%") && !html.contains("Every school has sent"));
}

#[test]
fn where_nothing_stands_or_is_open_the_page_says_so() {
    let mut overview = sample::overview();
    (overview.alerts, overview.problems) = (Vec::new(), Vec::new());
    let html = page(&overview, &Ask::default());
    assert!(
        html.contains("No alert stands for 1 September 2026 to 20 November 2026")
            && html.contains("No problem is open")
    );
}

#[test]
fn every_word_from_outside_is_escaped() {
    let bad = || String::from("<b onclick=\"x\">&'");
    let mut overview = sample::overview();
    overview.authority = bad();
    overview.coverage.received_for = bad();
    overview.stamp.as_of = bad();
    overview.stamp.known_at = bad();
    for school in &mut overview.schools {
        (school.name, school.trust) = (bad(), Some(bad()));
    }
    for headline in &mut overview.headlines {
        (headline.measure, headline.sentence) = (bad(), bad());
    }
    for definition in &mut overview.definitions {
        (definition.name, definition.about, definition.source) = (bad(), bad(), bad());
    }
    if let Some(benchmark) = &mut overview.benchmark {
        (benchmark.label, benchmark.source) = (bad(), bad());
    }
    for line in &mut overview.alerts {
        (line.title, line.about) = (bad(), bad());
    }
    for row in &mut overview.problems {
        (row.rule, row.about, row.expected) = (bad(), bad(), bad());
    }
    let html = overview_page(&overview, &Ask::default()).unwrap();
    assert!(!html.contains("<b ") && !html.contains("onclick=\""));
}

#[test]
fn links_keep_what_was_asked_and_turn_the_order() {
    let ask = Ask {
        as_of: Some("2026-11-13".into()),
        sort: SortBy::Absence,
        phase: Some(Phase::Secondary),
        ..Ask::default()
    };
    let html = page(&sample::overview(), &ask);
    assert!(html.contains("/?as_of=2026-11-13&#38;sort=absence&#38;dir=asc&#38;phase=secondary#schools"));
    assert!(html.contains("6 of 30 schools shown") && html.contains("aria-sort=\"descending\""));
    assert!(html.contains("/schools.csv?as_of=2026-11-13&#38;sort=absence&#38;phase=secondary"));
    let back = Ask { direction: Some(Direction::Ascending), ..ask };
    assert!(
        page(&sample::overview(), &back).contains("/?as_of=2026-11-13&#38;sort=absence&#38;phase=secondary#schools")
    );
}

#[test]
fn unlike_schools_are_not_ranked_without_a_word() {
    let note = "Rates of different phases do not compare";
    let mut ask = Ask { sort: SortBy::SeverePercent, ..Ask::default() };
    assert!(page(&sample::overview(), &ask).contains(note));
    ask.phase = Some(Phase::Primary);
    assert!(!page(&sample::overview(), &ask).contains(note));
}

#[test]
fn a_long_list_of_silent_schools_unfolds() {
    let mut overview = sample::overview();
    overview.silent_schools = vec![overview.silent_schools[0].clone(); SILENT_SHOWN + 3];
    assert!(page(&overview, &Ask::default()).contains("3 more that have sent nothing"));
}
