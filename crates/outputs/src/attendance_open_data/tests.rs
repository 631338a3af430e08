use super::*;
use crate::screening::{Outcome, screen};

/// First line of the DfE's `EES_ytd_data.csv` of 2025/26.
const PUBLISHED_HEADER: &str = "\
    time_period,geographic_level,country_code,country_name,region_code,region_name,\
    new_la_code,la_name,old_la_code,education_phase,num_schools,enrolments,\
    present_sessions,overall_attendance,approved_educational_activity,overall_absence,\
    authorised_absence,unauthorised_absence,late_sessions,possible_sessions,\
    reason_present_am,reason_present_pm,reason_present,\
    reason_l_present_late_before_registers_closed,reason_i_authorised_illness,\
    reason_m_authorised_medical_dental,reason_r_authorised_religious_observance,\
    reason_s_authorised_study_leave,reason_t_authorised_mobile_child,\
    reason_h_authorised_holiday,reason_e_authorised_excluded,reason_c_authorised_other,\
    reason_c1_authorised_regulated_performance,reason_j1_authorised_interview,\
    reason_c2_authorised_temp_reduced_timetable,reason_b_aea_education_off_site,\
    reason_j_aea_interview,reason_p_aea_approved_sporting_activity,\
    reason_v_aea_educational_visit_trip,reason_w_aea_work_experience,\
    reason_k_aea_education_arranged_by_la,reason_g_unauthorised_holiday,\
    reason_u_unauthorised_late_after_registers_closed,reason_o_other_unauthorised,\
    reason_n_no_reason_yet,total_num_schools,total_enrolments,attendance_perc,\
    overall_absence_perc,authorised_absence_perc,unauthorised_absence_perc,illness_perc,\
    appointments_perc,unauth_hol_perc,unauth_oth_perc,unauth_late_registers_closed_perc,\
    unauth_not_yet_perc,auth_religious_perc,auth_study_perc,auth_mob_perc,\
    auth_excluded_perc,auth_performance_perc,auth_interview_perc,auth_part_time_perc,\
    auth_other_perc,pa_perc,time_identifier";

/// Walsall's primary schools in the same file (Open Government Licence v3.0).
const PUBLISHED_ROW: &str = "\
    202526,Local authority,E92000001,England,E12000005,West Midlands,E08000030,Walsall,335,\
    Primary,84.3097826086957,22923.6141304348,7493770,7557398,63628,455886,269633,186253,\
    134615,8013284,3636835,3736814,7373649,120121,201733,18185,8180,4,735,0,2756,23895,141,\
    909,13095,14085,0,2450,46784,0,309,48338,14494,121683,1738,85,22336,94.3108717973804,\
    5.68912820261955,3.36482520774254,2.32430299487701,2.51748222077241,0.226935673314461,\
    0.603223347631258,1.51851600417507,0.180874657631004,0.0216889854396774,\
    0.102080495337492,4.99171126344705e-05,0.00917226944658395,0.0343928906051501,\
    0.00175957822036508,0.0113436638461834,0.163416147487098,0.298192351600168,\
    15.7575306251629,Academic year";

fn phase(name: &str, schools: u64, codes: &[(&str, u64)]) -> PhaseCounts {
    PhaseCounts {
        phase: name.to_string(),
        schools_received: schools,
        schools_total: schools,
        enrolments: 100.5 * schools as f64,
        enrolments_total: 101 * schools,
        persistent: 17 * schools,
        pa_enrolments: 99 * schools,
        present_am: 5_000,
        present_pm: 4_900,
        codes: codes.iter().map(|(code, count)| (code.to_string(), *count)).collect(),
    }
}

fn request(phases: Vec<PhaseCounts>) -> Request {
    let time_identifier = YEAR_TO_DATE.to_string();
    Request { la_code: 850, academic_year: "202627".to_string(), time_identifier, phases, made_up: false }
}

/// Every code there is, each with a count of its own, so that no two sums agree by chance.
fn every_code() -> Vec<(&'static str, u64)> {
    let possible = POSSIBLE.iter().copied().flatten().copied().filter(|code| !matches!(*code, "/" | "\\"));
    let counted = possible.enumerate().map(|(at, code)| (code, 1 << at));
    // In no column.
    counted.chain(NOT_POSSIBLE.iter().map(|code| (*code, 900))).collect()
}

fn three_phases() -> Request {
    let some = [("L", 40), ("I", 310), ("G", 25), ("B", 12), ("Y4", 900), ("X", 8)];
    request(vec![phase("Special", 3, &some), phase("Primary", 20, &every_code()), phase("Secondary", 4, &[])])
}

/// The data rows by phase, each cell by column.
fn read(built: &Built) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(built.data.as_slice());
    let header = reader.headers().expect("header").clone();
    let row = |record: csv::StringRecord| {
        let cells = header.iter().zip(record.iter());
        let cells: BTreeMap<_, _> = cells.map(|(k, v)| (k.to_string(), v.to_string())).collect();
        (cells[PHASE].clone(), cells)
    };
    reader.records().map(|record| row(record.expect("row"))).collect()
}

fn built(request: &Request) -> BTreeMap<String, BTreeMap<String, String>> {
    read(&build(request).expect("built"))
}

fn count(row: &BTreeMap<String, String>, column: &str) -> u64 {
    row[column].parse().expect(column)
}

#[test]
fn columns_are_the_published_ones_in_their_order() {
    let built = build(&three_phases()).expect("built");
    let text = String::from_utf8(built.data).expect("UTF-8");
    assert_eq!(text.lines().next(), Some(PUBLISHED_HEADER));
    let place = "202627,Local authority,E92000001,England,E12000008,South East,E10000014,Hampshire,850";
    let starts: Vec<String> = text.lines().skip(1).map(|line| line[..place.len() + 8].into()).collect();
    assert_eq!(starts, ["Primary", "Seconda", "Special", "Total,2"].map(|phase| format!("{place},{phase}")));
    assert!(text.lines().skip(1).all(|line| line.ends_with(",Academic year")));
    assert_eq!(built.data_name, "attendance_open_data_850_202627.csv");
    assert_eq!(built.meta_name, "attendance_open_data_850_202627.meta.csv");
}

#[test]
fn a_published_row_is_built_again_from_its_counts() {
    let published: BTreeMap<&str, &str> = PUBLISHED_HEADER.split(',').zip(PUBLISHED_ROW.split(',')).collect();
    let of = |column: &str| published[column].parse::<u64>().expect("count");
    // `reason_c1_authorised_…` is code C1.
    let reasons = PUBLISHED_HEADER.split(',').filter_map(|name| {
        let code = name.strip_prefix("reason_")?.split('_').next()?;
        (code.len() <= 2).then(|| (code.to_uppercase(), of(name)))
    });
    let counts = PhaseCounts {
        phase: "Primary".to_string(),
        schools_received: 84,
        schools_total: of("total_num_schools"),
        enrolments: published["enrolments"].parse().expect("enrolments"),
        enrolments_total: of("total_enrolments"),
        persistent: 0,
        pa_enrolments: 0,
        present_am: of("reason_present_am"),
        present_pm: of("reason_present_pm"),
        codes: reasons.collect(),
    };
    let request = Request { la_code: 335, academic_year: "202526".to_string(), ..request(vec![counts]) };
    let rows = built(&request);
    let row = &rows["Primary"];
    // The published number of schools is a mean; who was persistently absent is not in the file.
    for (column, expected) in published.iter().filter(|(name, _)| !matches!(**name, "num_schools" | "pa_perc")) {
        let cell = &row[*column];
        // Published to 15 significant digits.
        let digits = |text: &str| text.parse::<f64>().map(|number| format!("{number:.14e}"));
        assert!(cell == expected || digits(cell) == digits(expected), "{column}: {cell}, published {expected}");
    }
}

#[test]
fn the_published_identities_hold_in_every_row() {
    for (name, row) in built(&three_phases()) {
        let sum = |columns: &[&str]| columns.iter().map(|column| count(&row, column)).sum::<u64>();
        let all = |part: &str| row.keys().filter(|name| name.contains(part)).map(|name| count(&row, name)).sum::<u64>();
        let equal = |whole: &str, parts: u64| assert_eq!(count(&row, whole), parts, "{name} {whole}");
        equal("reason_present", sum(&["reason_present_am", "reason_present_pm"]));
        equal("present_sessions", sum(&["reason_present", "reason_l_present_late_before_registers_closed"]));
        equal("overall_attendance", sum(&["present_sessions", "approved_educational_activity"]));
        equal("approved_educational_activity", all("_aea_"));
        equal("overall_absence", sum(&["authorised_absence", "unauthorised_absence"]));
        equal("possible_sessions", sum(&["overall_attendance", "overall_absence"]));
        let unauthorised = [
            "reason_g_unauthorised_holiday",
            "reason_u_unauthorised_late_after_registers_closed",
            "reason_o_other_unauthorised",
            "reason_n_no_reason_yet",
        ];
        equal("unauthorised_absence", sum(&unauthorised));
        let late =
            ["reason_l_present_late_before_registers_closed", "reason_u_unauthorised_late_after_registers_closed"];
        equal("late_sessions", sum(&late));
    }
}

#[test]
fn legacy_codes_count_as_they_always_did_and_others_not_at_all() {
    let rows = built(&request(vec![phase("Primary", 2, &[("F", 3), ("H", 5), ("J", 7)])]));
    // F has no column of its own but is authorised absence.
    assert_eq!(count(&rows["Primary"], "authorised_absence"), 8);
    assert_eq!(count(&rows["Primary"], "reason_h_authorised_holiday"), 5);
    assert_eq!(count(&rows["Primary"], "approved_educational_activity"), 7);

    let none = NOT_POSSIBLE.iter().map(|code| (*code, 1_000)).collect::<Vec<_>>();
    let rows = built(&request(vec![phase("Primary", 2, &none)]));
    assert_eq!(count(&rows["Primary"], "possible_sessions"), 9_900);
}

#[test]
fn the_total_is_the_plain_sum_of_the_phases() {
    let rows = built(&three_phases());
    let indicators = COLUMNS.iter().filter(|column| column.unit_and_places().0 != "%");
    for column in indicators.map(|column| column.name) {
        let of = |phase: &str| rows[phase][column].parse::<f64>().expect(column);
        let sum: f64 = PHASES.into_iter().map(of).sum();
        assert_eq!(of("Total"), sum, "{column}");
    }
    let rate =
        100.0 * count(&rows["Total"], "overall_absence") as f64 / count(&rows["Total"], "possible_sessions") as f64;
    assert_eq!(rows["Total"]["overall_absence_perc"], rate.to_string());
    assert_eq!(rows["Total"]["pa_perc"], (100.0 * (17.0 * 27.0) / (99.0 * 27.0)).to_string());
}

#[test]
fn a_single_school_hides_its_phase_and_the_total() {
    let one_received = PhaseCounts { schools_total: 6, ..phase("Special", 1, &[]) };
    let one_there_is = PhaseCounts { schools_received: 0, present_am: 0, present_pm: 0, ..phase("Special", 1, &[]) };
    for special in [phase("Special", 1, &[("I", 10)]), one_received, one_there_is] {
        let (received, there_are) = (special.schools_received, special.schools_total);
        let rows = built(&request(vec![phase("Primary", 20, &[]), special]));
        for (name, schools) in [("Special", 0), ("Total", 20)] {
            let row = &rows[name];
            assert_eq!(count(row, "num_schools"), schools + received);
            assert_eq!(count(row, "total_num_schools"), schools + there_are);
            let others = COLUMNS.iter().filter(|column| !column.always_shown());
            assert!(others.map(|column| &row[column.name]).all(|cell| cell == "c"), "{row:?}");
        }
        assert_eq!(count(&rows["Primary"], "present_sessions"), 9_900);
    }
    // Two schools are shown.
    assert_ne!(built(&request(vec![phase("Special", 2, &[])]))["Total"]["enrolments"], "c");
}

#[test]
fn a_phase_without_a_school_has_no_row() {
    let rows = built(&request(vec![
        phase("Primary", 20, &[]),
        PhaseCounts { phase: "Special".to_string(), ..PhaseCounts::default() },
    ]));
    assert_eq!(rows.into_keys().collect::<Vec<_>>(), ["Primary", "Total"]);
}

#[test]
fn nothing_possible_is_not_applicable() {
    let silent = PhaseCounts {
        present_am: 0,
        present_pm: 0,
        pa_enrolments: 0,
        persistent: 0,
        ..phase("Primary", 20, &[("Y4", 50)])
    };
    let rows = built(&request(vec![silent]));
    assert_eq!(rows["Primary"]["possible_sessions"], "0");
    let rates = COLUMNS.iter().filter(|column| column.unit_and_places().0 == "%");
    assert!(rates.map(|column| &rows["Primary"][column.name]).all(|cell| cell == "z"));
}

#[test]
fn percentages_are_exact_quotients() {
    assert_eq!(percent(29, 100), "29");
    assert_eq!(percent(1, 3), "33.333333333333336");
    assert_eq!(percent(1, 6_420_254), "0.000015575707752372414");
    assert_eq!(percent(0, 5), "0");
    assert_eq!(percent(7, 7), "100");
    assert_eq!(percent(0, 0), "z");
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let first = build(&three_phases()).expect("built");
    assert_eq!(build(&three_phases()).expect("built"), first);
    let mut other_order = three_phases();
    other_order.phases.reverse();
    assert_eq!(build(&other_order).expect("built"), first);
    assert_eq!(first.sha256, sha256(&first.data));
    assert!(!first.data.contains(&b'\r') && !first.meta.contains(&b'\r'));
}

#[test]
fn what_is_built_passes_every_check_without_a_warning() {
    let hidden = request(vec![phase("Primary", 20, &[]), phase("Special", 1, &[])]);
    let comma_in_name = Request { la_code: 801, ..three_phases() };
    for request in [three_phases(), hidden, comma_in_name] {
        let built = build(&request).expect("built");
        let findings = screen(&built.data_name, &built.data, &built.meta_name, &built.meta);
        let broken: Vec<_> = findings.iter().filter(|finding| finding.outcome != Outcome::Pass).collect();
        assert!(broken.is_empty(), "{broken:?}");
        // To the last stage.
        assert!(findings.iter().any(|finding| finding.check == "api_char_filter_items"));
    }
}

#[test]
fn every_authority_can_be_built_for() {
    let live = local_authority::all().iter().filter(|la| la.status == local_authority::Status::Live);
    let codes: Vec<u16> = live.filter_map(|la| la.old_la_code.parse().ok()).collect();
    assert!(codes.len() > 150);
    for la_code in codes {
        let built = build(&Request { la_code, ..three_phases() }).expect("built");
        let findings = screen(&built.data_name, &built.data, &built.meta_name, &built.meta);
        let failed: Vec<_> = findings.iter().filter(|f| f.outcome == Outcome::Fail).collect();
        assert!(failed.is_empty(), "{la_code}: {failed:?}");
    }
}

#[test]
fn a_wrong_request_is_refused_with_what_to_do() {
    let primary = || phase("Primary", 20, &[]);
    let refused = |request: Request| build(&request).expect_err("refused").to_string();
    let with = |counts: PhaseCounts| refused(request(vec![counts]));
    let made_up = build(&Request { made_up: true, ..three_phases() }).expect("built");
    assert_eq!(made_up.data_name, "made_up_attendance_open_data_850_202627.csv");
    let message = refused(Request { la_code: 999, ..three_phases() });
    assert!(message.contains("999") && message.contains("local_authority.csv"), "{message}");
    for year in ["2026", "202628", "2026/27", "２０２６２７"] {
        assert!(refused(Request { academic_year: year.to_string(), ..three_phases() }).contains(year));
    }
    let monthly = Request { time_identifier: "March".to_string(), ..three_phases() };
    assert!(refused(monthly).contains("`March` does not go"));
    assert!(refused(request(vec![])).contains("no phase has a school"));
    assert!(refused(request(vec![primary(), primary()])).contains("given twice"));
    assert!(with(phase("Alternative provision", 2, &[])).contains("is not published"));
    assert!(with(phase("Primary", 2, &[("-", 4)])).contains("`-` is no register code"));
    assert!(with(phase("Primary", 2, &[("/", 4)])).contains("leave it out of the codes"));
    assert!(with(PhaseCounts { enrolments: f64::NAN, ..primary() }).contains("no number of enrolments"));
    assert!(with(PhaseCounts { enrolments: -1.0, ..primary() }).contains("no number of enrolments"));
    assert!(with(PhaseCounts { persistent: 5_000, ..primary() }).contains("persistent absentees"));
    assert!(with(PhaseCounts { schools_received: 0, ..primary() }).contains("`schools_received` is 0"));
    assert!(with(PhaseCounts { present_am: u64::MAX, ..primary() }).contains("too large"));
    // Present marks may be given twice if they agree.
    assert!(build(&request(vec![phase("Primary", 2, &[("/", 5_000)])])).is_ok());
}
