use super::*;

const NAME: &str = "absence_2026.csv";
const META_NAME: &str = "absence_2026.meta.csv";

const META: &str = "\
col_name,col_type,label,indicator_grouping,indicator_unit,indicator_dp,filter_hint,filter_grouping_column,filter_default
phase,Filter,Phase,,,,Choose a phase,phase_group,
sex,Filter,Sex,,,,,,Everyone
absences,Indicator,Absences,Counts,,0,,,
absence_rate,Indicator,Absence rate,Rates,%,1,,,
";

const DATA: &str = "\
time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,new_la_code,la_name,phase,phase_group,sex,absences,absence_rate
202526,Academic year,National,E92000001,England,,,,,,Total,Total,Everyone,900,7.1
202526,Academic year,Regional,E92000001,England,E12000008,South East,,,,Total,Total,Everyone,90,7.2
202526,Academic year,Local authority,E92000001,England,E12000008,South East,850,E10000014,Hampshire,Total,Total,Everyone,9,7.3
202526,Academic year,Local authority,E92000001,England,E12000008,South East,850,E10000014,Hampshire,Primary,State-funded,Girls,c,c
202526,Academic year,Local authority,E92000001,England,z,Unknown,z,z,Unknown,Primary,State-funded,Girls,z,z
";

fn outcome(findings: &[Finding], check: &str) -> Option<Outcome> {
    findings.iter().find(|finding| finding.check == check).map(|finding| finding.outcome)
}

#[test]
fn a_good_pair_passes_every_check() {
    let findings = screen(NAME, DATA.as_bytes(), META_NAME, META.as_bytes());
    let broken: Vec<_> = findings.iter().filter(|f| f.outcome != Outcome::Pass).collect();
    assert!(broken.is_empty(), "{broken:?}");
    let expected: usize = STAGES.iter().map(|stage| stage.len()).sum();
    assert_eq!(findings.len(), expected + 1);
    let names: BTreeSet<&str> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(names.len(), findings.len(), "each check has a name of its own");
}

/// Which file a change is made in.
enum In {
    Data,
    Meta,
}
use In::{Data, Meta};

/// Check, file, what is replaced (everywhere) by what, and what comes of it.
#[rustfmt::skip] // one change a line
const CHANGES: &[(&str, In, &str, &str, Outcome)] = &[
    ("col_req_meta", Meta, ",filter_hint", ",filter_default", Outcome::Fail),
    ("col_invalid_meta", Meta, ",filter_default\n", ",my_notes\n", Outcome::Fail),
    ("col_req_data", Data, "country_name", "country_names", Outcome::Fail),
    ("cross_meta_to_data", Meta, "sex,Filter", "gender,Filter", Outcome::Fail),
    ("cross_data_to_meta", Meta, "sex,Filter,Sex,,,,,,Everyone\n", "", Outcome::Warning),
    ("col_names_spaces", Data, ",phase_group", ",phase group", Outcome::Fail),
    ("col_snake_case", Data, ",phase_group", ",phase_Group", Outcome::Warning),
    ("col_var_start", Data, ",phase_group", ",2_group", Outcome::Warning),
    ("meta_col_type", Meta, "absences,Indicator", "absences,Measure", Outcome::Fail),
    ("meta_ob_unit", Meta, "sex,Filter", "la_name,Filter", Outcome::Fail),
    ("meta_col_name", Meta, "sex,Filter", ",Filter", Outcome::Fail),
    ("meta_dupe_label", Meta, "Absence rate", "Absences", Outcome::Fail),
    ("meta_fil_grp", Meta, "%,1,,,", "%,1,,phase_group,", Outcome::Fail),
    ("meta_fil_grp_dupe", Meta, "Sex,,,,,,", "Sex,,,,,phase_group,", Outcome::Fail),
    ("meta_fil_grp_is_fil", Meta, "phase_group", "sex", Outcome::Warning),
    ("meta_fil_grp_match", Meta, "phase_group", "phases", Outcome::Fail),
    ("meta_fil_grp_stripped", Data, ",Total,Everyone,90,", ",To-tal,Everyone,90,", Outcome::Fail),
    ("meta_label", Meta, "Filter,Sex", "Filter,", Outcome::Fail),
    ("meta_filter_hint", Meta, "%,1,,", "%,1,Choose,", Outcome::Fail),
    ("meta_indicator_dp", Meta, "Phase,,,,", "Phase,,,1,", Outcome::Fail),
    ("meta_col_name_dupe", Meta, "sex,Filter", "phase,Filter", Outcome::Fail),
    ("meta_ind_dp_set", Meta, "%,1", "%,", Outcome::Warning),
    ("meta_ind_dp_values", Meta, "%,1", "%,-1", Outcome::Fail),
    ("meta_ind_unit", Meta, "Phase,,,", "Phase,,%,", Outcome::Fail),
    ("meta_ind_unit_validation", Meta, "%,1", "$,1", Outcome::Fail),
    ("meta_indicator_grouping", Meta, "Phase,,", "Phase,Counts,", Outcome::Fail),
    ("time_period_num", Data, "202526", "2025/26", Outcome::Fail),
    ("time_id_valid", Data, "Academic year", "Week 53", Outcome::Fail),
    ("time_id_mix", Data, "Academic year,National", "Autumn term,National", Outcome::Fail),
    ("filter_not_singular", Data, "Girls", "Everyone", Outcome::Fail),
    ("geog_level", Data, "National", "Nation", Outcome::Fail),
    ("geog_level_present", Data, "region_code", "region_number", Outcome::Fail),
    ("time_period", Data, "202526", "2025", Outcome::Fail),
    ("time_period_six", Data, "202526", "202527", Outcome::Fail),
    ("filter_defaults", Data, "Everyone", "Boys", Outcome::Warning),
    ("filter_group_level", Data, "State-funded,Girls,z", "Independent,Girls,z", Outcome::Fail),
    ("filter_whitespace", Data, "Girls,c", "Girls ,c", Outcome::Fail),
    ("filter_ob_total", Data, "National,E92000001,England,,,,,", "National,E92000001,England,,,,,All", Outcome::Fail),
    ("filter_blanks", Data, "Girls,c", ",c", Outcome::Fail),
    ("geog_country_combos", Data, "E92000001", "E92000002", Outcome::Fail),
    ("geog_region_combos", Data, "South East", "South West", Outcome::Fail),
    ("geog_la_combos", Data, "E10000014", "E10000015", Outcome::Fail),
    ("geog_level_completed", Data, ",850,E10000014,Hampshire", ",,,", Outcome::Fail),
    ("geog_region_for_la", Data, "South East,850", ",850", Outcome::Warning),
    ("geog_na_code", Data, "England,z,Unknown", "England,x,Unknown", Outcome::Fail),
    ("geog_overcompleted_cols", Data, "England,,,", "England,E12000008,South East,", Outcome::Fail),
    ("general_dupes", Data, "England,z,Unknown,z,z,Unknown", "England,E12000008,South East,850,E10000014,Hampshire", Outcome::Fail),
    ("general_null", Data, ",900,", ",NULL,", Outcome::Fail),
    ("general_null", Data, ",900,", ",n/a,", Outcome::Warning),
    ("ind_invalid_entry", Data, ",900,", ",:,", Outcome::Fail),
    ("ind_invalid_entry", Data, ",900,", ",,", Outcome::Fail),
];

#[test]
fn each_check_finds_its_own_fault() {
    for (check, file, from, to, expected) in CHANGES {
        let (data, meta) = match file {
            Data => (DATA.replace(from, to), META.to_string()),
            Meta => (DATA.to_string(), META.replace(from, to)),
        };
        assert!(data != DATA || meta != META, "{check}: nothing was changed");
        let findings = screen(NAME, data.as_bytes(), META_NAME, meta.as_bytes());
        assert_eq!(outcome(&findings, check), Some(*expected), "{check}: {findings:#?}");
    }
}

/// Faults of a column's name, which both files must share for the check to be reached.
#[test]
fn column_names_are_checked_in_both_files() {
    let long = "x".repeat(51);
    for (check, from, to, expected) in [
        ("meta_geog_catch", "sex", "school_number", Outcome::Fail),
        ("meta_geog_catch", "sex", "region", Outcome::Fail),
        ("col_names_spaces", "absence_rate", "absence rate", Outcome::Fail),
        ("harmonised_variables", "sex", "pupil_ethnicity", Outcome::Fail),
        ("harmonised_variables", "sex", "school_type", Outcome::Fail),
        ("harmonised_variables", "sex", "ethnicity_major", Outcome::Pass),
        ("api_char_col_name", "sex", &long, Outcome::Warning),
        ("api_char_filter_items", "Girls", &"y".repeat(121), Outcome::Warning),
        ("api_char_filter_items", "Girls", &"é".repeat(120), Outcome::Pass),
        ("api_char_col_label", "Absences", &"z".repeat(101), Outcome::Warning),
    ] {
        let (data, meta) = (DATA.replace(from, to), META.replace(from, to));
        let findings = screen(NAME, data.as_bytes(), META_NAME, meta.as_bytes());
        assert_eq!(outcome(&findings, check), Some(expected), "{check}: {findings:#?}");
    }
    // An earlier stage always finds a space first, so this check is asked by itself.
    let spaced = META.replace("sex,Filter", "sex ,Filter");
    let pair = Pair::read(NAME, DATA.as_bytes(), META_NAME, spaced.as_bytes()).ok();
    let check = STAGES.iter().copied().flatten().find(|check| check.name == "meta_col_name_spaces");
    let told = check.zip(pair).map(|(check, pair)| check.apply(&pair).outcome);
    assert_eq!(told, Some(Outcome::Fail));
}

#[test]
fn more_rows_in_the_meta_file_than_columns_is_refused() {
    let meta = format!("{META}{}", "sex,Filter,,,,,,,\n".repeat(12));
    let findings = screen(NAME, DATA.as_bytes(), META_NAME, meta.as_bytes());
    assert_eq!(outcome(&findings, "col_to_rows"), Some(Outcome::Fail));
}

#[test]
fn file_names_are_checked() {
    for (check, data_name, meta_name) in [
        ("filename_spaces", "absence 2026.csv", "absence 2026.meta.csv"),
        ("filename_special", "absence+2026.csv", "absence+2026.meta.csv"),
        ("filename_special", "absence.2026.csv", "absence.2026.meta.csv"),
        ("filenames_match", "absence.csv", "absences.meta.csv"),
        ("filenames_match", "absence.csv", "absence.csv"),
        ("filenames_match", "absence.txt", "absence.meta.txt"),
        ("filenames_match", ".csv", ".meta.csv"),
    ] {
        let findings = screen(data_name, DATA.as_bytes(), meta_name, META.as_bytes());
        assert_eq!(outcome(&findings, check), Some(Outcome::Fail), "{data_name} {meta_name}");
        // The first stage with a failure is the last.
        assert_eq!(outcome(&findings, "col_req_meta"), None);
    }
}

#[test]
fn places_of_other_kinds_are_warned_of_or_wanted_whole() {
    let add = |header: &str, cells: &str| {
        let mut lines = DATA.lines();
        let first = lines.next().unwrap_or_default();
        let rows: String = lines.map(|line| format!("{line}{cells}\n")).collect();
        format!("{first}{header}\n{rows}")
    };
    for (check, column) in [
        ("geog_ward_combos", "ward_code"),
        ("geog_pcon_combos", "pcon_code"),
        ("geog_lad_combos", "lad_code"),
        ("geog_lep_combos", "local_enterprise_partnership_code"),
        ("geog_lsip_combos", "lsip_code"),
        ("geog_eda_combos", "english_devolved_area_code"),
    ] {
        let data = add(&format!(",{column}"), ",");
        let findings = screen(NAME, data.as_bytes(), META_NAME, META.as_bytes());
        assert_eq!(outcome(&findings, check), Some(Outcome::Warning), "{findings:#?}");
    }
    let data = add(",ward_code", &format!(",{}", "W".repeat(31)));
    let findings = screen(NAME, data.as_bytes(), META_NAME, META.as_bytes());
    assert_eq!(outcome(&findings, "api_char_loc_code"), Some(Outcome::Warning));

    // Only the national row left, so that the missing columns are not those of a row's own level.
    let rows: String = DATA
        .lines()
        .filter(|line| line.contains("time_period") || line.contains("National"))
        .map(|line| format!("{line}\n"))
        .collect();
    let second = rows.lines().nth(1).unwrap_or_default().replace("Total,Total,Everyone", "Primary,Total,Girls");
    let national = format!("{rows}{second}\n");
    for (check, column) in [("geog_la_col_present", "la_name"), ("geog_region_col_present", "region_code")] {
        let data = national.replace(column, "shoe_size");
        let findings = screen(NAME, data.as_bytes(), META_NAME, META.as_bytes());
        assert_eq!(outcome(&findings, check), Some(Outcome::Fail), "{findings:#?}");
    }
}

#[test]
fn too_many_items_are_refused() {
    let rows: String = (0..=25_000)
        .map(|n| format!("202526,Academic year,National,E92000001,England,,,,,,p{n},g,s{n},1,1\n"))
        .collect();
    let header = DATA.lines().next().unwrap_or_default();
    let findings = screen(NAME, format!("{header}\n{rows}").as_bytes(), META_NAME, META.as_bytes());
    assert_eq!(outcome(&findings, "filter_item_limit"), Some(Outcome::Fail));
}

#[test]
fn periods_go_with_their_identifiers() {
    for (period, identifier, passing) in [
        ("199900", "Academic year", true),
        ("202526", "Autumn and spring term", true),
        ("202526", "Part 2 (October to March)", true),
        ("2026", "Calendar year", true),
        ("2026", "Week 52", true),
        ("2026", "Week 07", false),
        ("2026", "September", true),
        ("2026", "Academic year", false),
        ("202600", "Calendar year", false),
    ] {
        let data = DATA.replace("202526,Academic year", &format!("{period},{identifier}"));
        let findings = screen(NAME, data.as_bytes(), META_NAME, META.as_bytes());
        assert_eq!(passes(&findings), passing, "{period} {identifier}");
    }
    let terms = DATA.replace("Academic year,National", "Autumn term,National");
    let terms = terms.replace("Academic year", "Spring term");
    assert!(passes(&screen(NAME, terms.as_bytes(), META_NAME, META.as_bytes())));
}

#[test]
fn school_names_may_be_total_at_their_own_level_only() {
    let header = "time_period,time_identifier,geographic_level,country_code,country_name,school_urn,\
        school_laestab,school_name,phase,phase_group,sex,absences,absence_rate";
    let rows = |level: &str| {
        format!(
            "{header}\n202526,Academic year,{level},E92000001,England,100000,2013614,Total,Total,a,Everyone,1,1\n\
             202526,Academic year,{level},E92000001,England,100001,2013615,B,Primary,a,Girls,1,1\n"
        )
    };
    let told = |level: &str| {
        let findings = screen(NAME, rows(level).as_bytes(), META_NAME, META.as_bytes());
        outcome(&findings, "filter_ob_total")
    };
    assert_eq!(told("School"), Some(Outcome::Pass));
    assert_eq!(told("National"), Some(Outcome::Fail));
}

#[test]
fn hostile_bytes_are_a_finding_and_never_a_panic() {
    let zeros = [0_u8; 64];
    let ragged = "time_period,a\n1\n";
    let wild: [&[u8]; 9] = [
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe\x00a,b\n",
        &zeros,
        b"\"never closed\n1,2,3",
        b"\n\n\n",
        b"only,a,header\n",
        ragged.as_bytes(),
        "col_name,,\u{202e},\u{0}\n,,,\n".as_bytes(),
    ];
    for bytes in wild {
        assert!(!passes(&screen(NAME, bytes, META_NAME, META.as_bytes())));
        assert!(!passes(&screen(NAME, DATA.as_bytes(), META_NAME, bytes)));
        assert!(!passes(&screen("", bytes, "\u{0}/../", bytes)));
    }
    // Every other byte of both files in turn is broken; whatever is found, nothing panics.
    for at in (0..DATA.len().max(META.len())).step_by(2) {
        for byte in [0, b'"', b',', b'\n', 0xff] {
            let (mut data, mut meta) = (DATA.as_bytes().to_vec(), META.as_bytes().to_vec());
            if let Some(place) = data.get_mut(at) {
                *place = byte;
            }
            assert!(!screen(NAME, &data, META_NAME, META.as_bytes()).is_empty());
            if let Some(place) = meta.get_mut(at) {
                *place = byte;
            }
            assert!(!screen(NAME, DATA.as_bytes(), META_NAME, &meta).is_empty());
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    let marked = [b"\xef\xbb\xbf", DATA.as_bytes()].concat();
    assert!(passes(&screen(NAME, &marked, META_NAME, META.as_bytes())));
}
