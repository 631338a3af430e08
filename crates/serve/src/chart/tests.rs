use super::*;

const NAMES: Names<'_> = Names { area: "Bournemouth, Christchurch & Poole", england: "England" };

fn week(week_start: &str, area: Option<f64>, england: Option<f64>, settled: bool) -> WeekPoint {
    let (schools_received, schools_expected) = (if settled { 30 } else { 28 }, 30);
    WeekPoint { week_start: week_start.into(), area, england, settled, schools_received, schools_expected }
}

/// Every shape of these weeks, each looked over for balanced tags, quoted values and numbers that are none.
fn drawn(points: &[WeekPoint]) -> String {
    let narrow = weeks(points, NAMES, Shape::Narrow);
    assert_well_formed(&narrow);
    let wide = weeks(points, NAMES, Shape::Wide);
    assert_well_formed(&wide);
    wide
}

fn assert_well_formed(svg: &str) {
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a stray > in {}", &rest[..at]);
        assert!(rest[..at].split('&').skip(1).all(|part| part.find(';').is_some_and(|end| end <= 5)), "a bare &");
        let mut quoted = false;
        let end = rest[at..]
            .find(|c| {
                quoted ^= c == '"';
                c == '>' && !quoted
            })
            .expect("a tag ends")
            + at;
        let tag = &rest[at + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        assert!(!tag.contains("style="), "the policy of the page forbids styles in it");
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn no_weeks_say_so() {
    assert!(drawn(&[]).contains("No data for any week yet"));
    assert!(drawn(&[week("2026-09-07", None, None, false)]).contains("No data for any week yet"));
    assert_eq!(title(&[]), "No week of absence figures is settled yet");
}

#[test]
fn one_week_is_a_marker() {
    let svg = drawn(&[week("2026-09-07", Some(6.4), None, true)]);
    assert_eq!(svg.matches("<circle").count(), 1);
    assert!(svg.contains("6.4%") && !svg.contains("so far") && !svg.contains("Not settled yet"));
    assert!(in_words(&[week("2026-09-07", Some(6.4), None, true)], NAMES).contains("England: no data."));
}

#[test]
fn a_gap_breaks_the_line() {
    let points = [
        week("2026-10-12", Some(6.4), Some(6.5), true),
        week("2026-10-19", Some(6.6), Some(6.5), true),
        week("2026-11-02", Some(6.9), None, true),
        week("2026-11-09", None, Some(7.0), true),
        week("2026-11-16", Some(7.2), Some(7.1), true),
    ];
    let svg = drawn(&points);
    let area = svg
        .split(&format!("stroke=\"{AREA}\" stroke-width=\"3\""))
        .next()
        .unwrap()
        .rsplit("<path d=\"")
        .next()
        .unwrap();
    assert_eq!((area.matches('M').count(), area.matches('L').count()), (3, 1), "{area}");
    assert!(svg.contains(">26 Oct<"), "the week between has its place");
}

#[test]
fn what_is_not_settled_is_hatched_hollow_and_said() {
    let svg = drawn(&[
        week("2026-11-02", Some(6.9), Some(7.0), true),
        week("2026-11-09", Some(7.4), Some(7.1), false),
        week("2026-11-16", Some(7.6), None, false),
    ]);
    assert_eq!(svg.matches("url(#hatch-wide)").count(), 1, "one band for neighbours");
    assert_eq!(svg.matches("fill=\"#ffffff\" stroke=\"#12436D\"").count(), 2);
    assert!(
        svg.contains(">7.6%<")
            && svg.contains(">so far<")
            && svg.contains("Not settled yet, hatched: week beginning 9 November 2026, 16 November 2026.")
    );
}

#[test]
fn all_unsettled_bears_no_finding() {
    let points = [week("2026-11-09", Some(7.4), Some(7.1), false), week("2026-11-16", Some(9.9), Some(7.1), false)];
    drawn(&points);
    assert_eq!(title(&points), "No week of absence figures is settled yet");
}

#[test]
fn names_are_escaped() {
    let hostile = Names { area: "<script>\"'&\u{1}", england: "England" };
    for shape in [Shape::Wide, Shape::Narrow] {
        let svg = weeks(&[week("2026-09-07", Some(6.0), Some(5.0), true)], hostile, shape);
        assert_well_formed(&svg);
        assert!(!svg.contains("<script"));
    }
}

#[test]
fn odd_weeks_and_values_are_drawn_all_the_same() {
    for points in [
        [week("soon", Some(6.0), Some(f64::NAN), true), week("later", Some(f64::INFINITY), Some(7.0), false)],
        [week("2026-09-14", Some(6.0), None, true), week("2026-09-07", Some(6.0), None, true)],
        [week("2026-09-07", Some(0.0), None, true), week("2026-09-14", Some(100.0), Some(0.0), true)],
        [week("1900-01-01", Some(1.0), None, true), week("2999-01-01", Some(1.0), None, true)],
    ] {
        drawn(&points);
    }
}

#[test]
fn a_year_of_weeks_fits() {
    let first = date::day("2026-09-07").unwrap();
    let points: Vec<_> = (0..44)
        .map(|at| week(&week_after(first, at).unwrap().to_string(), Some(5.0 + at as f64 / 20.0), Some(6.5), at < 42))
        .collect();
    let svg = drawn(&points);
    assert!(svg.matches(">7 Sep<").count() == 1 && svg.matches("<circle").count() == 44);
}

#[test]
fn a_title_is_a_finding_of_ten_words_at_most() {
    let of = |weeks: &[(f64, Option<f64>)]| {
        let points: Vec<_> =
            weeks.iter().map(|(area, england)| week("2026-09-07", Some(*area), *england, true)).collect();
        title(&points)
    };
    let titles = [
        of(&[(7.0, Some(6.0))]),
        of(&[(5.0, Some(6.0))]),
        of(&[(6.04, Some(5.96)), (9.0, None)]),
        of(&[(6.0, None), (7.0, None)]),
        of(&[(7.0, None), (6.0, None)]),
        of(&[(7.0, None), (7.0, None)]),
        of(&[(7.0, None)]),
        title(&[]),
    ];
    for (at, title) in titles.iter().enumerate() {
        assert!(title.split(' ').count() <= 10 && !titles[..at].contains(title), "{title}");
    }
    assert_eq!(titles[2], "Absence equalled England’s in the latest settled week");
}

#[test]
fn every_value_lies_inside_the_axis() {
    for (least, most) in
        [(0.0, 0.0), (0.1, 0.3), (6.0, 6.0), (5.9, 7.6), (4.0, 12.0), (49.0, 51.0), (0.0, 100.0), (99.9, 100.0)]
    {
        let points = [week("2026-09-07", Some(least), Some(most), true)];
        let scale = Scale::of(&points).unwrap();
        assert!(0.0 <= scale.low && scale.low <= least && most <= scale.high && scale.high <= 100.0, "{least} {most}");
        assert!((2..=8).contains(&scale.ticks().count()), "{least} {most}: {}", scale.ticks().count());
    }
}
