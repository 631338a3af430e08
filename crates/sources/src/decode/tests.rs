use std::io::{Cursor, Read, Write};

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use chrono::{DateTime, NaiveDate, Utc};
use model::{CodeTable, FieldRules, Problem, Upn};

use super::*;
use crate::decoded::Content;
use crate::grid::SchoolGrid;
use crate::kind::{Column, Value};

mod damaged;
mod workbooks;

const CODES: &str = include_str!("../../../../sql/reference/attendance_code.csv");
const RULES: &str = include_str!("../../../../sql/rules/fields.toml");

/// Reads `input` as a file received in the autumn of 2026, of an authority that asks for the years since 2022.
fn read(input: Box<dyn Read + Send>, mapping: &Mapping, limit: u64) -> Vec<Decoded> {
    read_since(2022, input, mapping, limit)
}

fn read_since(year: i32, input: Box<dyn Read + Send>, mapping: &Mapping, limit: u64) -> Vec<Decoded> {
    let codes = CodeTable::parse(CODES).unwrap();
    let rules: FieldRules = toml::from_str(RULES).unwrap();
    let received_at: DateTime<Utc> = "2026-11-20T18:00:00Z".parse().unwrap();
    let decoder = Decoder {
        codes: &codes,
        rules: &rules,
        interventions: &BTreeMap::from([("penalty_notice_paid".to_owned(), "Penalty notice paid".to_owned())]),
        mapping,
        received_at,
        received_on: received_at.date_naive(),
        roll_until: received_at.date_naive() + chrono::Days::new(92),
        calendar_until: received_at.date_naive() + chrono::Days::new(1096),
        years_apart: 3,
        earliest: NaiveDate::from_ymd_opt(year, 9, 1).unwrap(),
        unpacked_limit: limit,
    };
    let files = decode(&decoder, Origin { source: "drop", name: "m.csv", sha256: "0" }, input);
    for file in &files {
        assert_eq!(file.rows_in, file.rows_kept + file.rows_refused);
        // Readers of packed files that are not ours may stumble over hostile ones; ours says what is wrong with a row.
        assert!(file.problems.iter().all(|problem| problem.found != STOPPED), "{file:?}");
    }
    files
}

fn bytes(text: impl Into<Vec<u8>>) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(text.into()))
}

#[test]
fn every_column_of_the_published_layouts_is_kept_as_it_came() {
    let text = |column: &Column| match (column.name, column.value) {
        ("UPN", _) => "Q850200120003".to_owned(),
        ("FormerUPN", _) => "H850200723000".to_owned(),
        ("Type", _) => "penalty_notice_paid".to_owned(),
        ("DOB", _) => "2016-01-31".to_owned(),
        ("EntryDate" | "Opened" | "Date" | "OpenDate", _) => "2025-09-01".to_owned(),
        (_, Value::Date) => "2026-10-02".to_owned(),
        (_, Value::Urn) => "140001".to_owned(),
        (_, Value::Whole) => "85".to_owned(),
        (_, Value::YesNo) => "Y".to_owned(),
        (_, Value::Sex) => "F".to_owned(),
        (_, Value::YearGroup) => "5".to_owned(),
        (_, Value::Session) => "PM".to_owned(),
        (_, Value::OneOf(values)) => values[0].to_owned(),
        (name, Value::Text | Value::Upn) => format!("of {name}"),
    };
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Marks) {
        let columns = kind.columns();
        let joined = |of: fn(&Column) -> String| columns.iter().map(of).collect::<Vec<_>>().join(",");
        let (header, row) = (joined(|column| column.name.to_owned()), joined(text));
        let file = read(bytes(format!("{header}\n{row}\n")), &Mapping::default(), u64::MAX).remove(0);
        let Content::Rows { rows, former, .. } = &file.content else { panic!("{kind:?}: {file:?}") };
        let schema = rows.schema();
        let mut unfilled: BTreeSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        for column in columns.iter().filter(|column| column.fills != "former_key") {
            let kept = rows.column_by_name(column.fills).unwrap_or_else(|| panic!("{kind:?} has no {}", column.fills));
            let expected = match column.value {
                Value::Upn => Upn::parse(text(column).as_bytes()).unwrap().key().to_string(),
                Value::YesNo => "true".to_owned(),
                _ => text(column),
            };
            assert_eq!(
                arrow::util::display::array_value_to_string(kept, 0).unwrap(),
                expected,
                "{kind:?} {}",
                column.name
            );
            unfilled.remove(column.fills);
        }
        let is_roll = kind == Kind::Roll;
        assert_eq!(former.len(), usize::from(is_roll));
        // What no file says: when it was known, of which return, and what rolls after it say of whom they leave out.
        let ours = ["known_from", "known_to", "missing_since", "return_id"];
        assert!(unfilled.iter().all(|name| ours.contains(name)), "{kind:?}: nothing fills {unfilled:?}");
    }
}

#[test]
fn an_authority_states_its_term_dates_in_a_calendar_alone() {
    let read = |header: &str, more: &str| {
        let row = |holder: &str| format!("{holder},{more}\n");
        let text = ["850", "140001", "085", "85", "8500"].map(row).concat();
        read(bytes(format!("URN,{header}\n{text}")), &Mapping::default(), u64::MAX).remove(0)
    };
    let calendar = read("Date,Session,Open", "2026-09-07,AM,Y");
    assert_eq!((calendar.rows_kept, calendar.rows_refused), (2, 3));
    assert_eq!(calendar.schools().iter().map(|school| school.urn).collect::<Vec<_>>(), [Some(850), Some(140_001)]);
    let lines: Vec<_> = calendar.problems.iter().map(|problem| (problem.rule.as_str(), problem.line)).collect();
    assert_eq!(lines, [("urn_shape", Some(4)), ("urn_shape", Some(5)), ("urn_shape", Some(6))]);
    let marks = read("UPN,Date,Session,Mark", "Q850200120003,2026-09-07,AM,/");
    assert_eq!((marks.rows_kept, marks.rows_refused), (1, 4));
}

#[test]
fn marks_that_waited_are_what_they_were() {
    let rows = |urn: i32| {
        let of_day =
            |day: i32| (0..40).map(move |n| format!("{urn},Q{:012},2026-09-{day:02},AM,/\n", 850_200_000_000_i64 + n));
        (7..12).chain(14..19).flat_map(of_day).collect::<String>()
    };
    let text =
        format!("URN,UPN,Date,Session,Mark\n{}{}140001,Q850200000003,2026-09-07,AM,?\n", rows(140_001), rows(140_002));
    let read = || read(bytes(text.clone()), &Mapping::default(), u64::MAX);
    let shelf = std::sync::Arc::new(crate::Shelf::new().unwrap());
    let [packed, again] = [(); 2].map(|()| crate::Packed::of(read().remove(0), shelf.clone()).unwrap());
    let Content::Marks(grids) = &read().remove(0).content else { panic!("no marks") };
    assert!(packed.size() * 2 < grids.iter().map(SchoolGrid::size).sum(), "{}", packed.size());
    assert_eq!(packed.first_school(), Some(140_001));
    for packed in [again, packed] {
        assert_eq!(meaning(&[packed.unpacked().unwrap()]), meaning(&read()));
    }
}

/// Rows in, rows refused, problems, and what each school states.
type Meaning = (u64, u64, Vec<Problem>, Vec<(i32, Vec<lake::register::Stated>)>);

/// What a file states and what is wrong with it, whatever way it was read.
fn meaning(files: &[Decoded]) -> Vec<Meaning> {
    files
        .iter()
        .map(|f| {
            let schools = match &f.content {
                Content::Marks(schools) => schools.iter().map(|s| (s.urn, s.stated(0, |_| true))).collect(),
                _ => Vec::new(),
            };
            (f.rows_in, f.rows_refused, f.problems.clone(), schools)
        })
        .collect()
}

#[test]
fn every_rule_has_its_words_and_something_that_finds_it() {
    let rules: FieldRules = toml::from_str(RULES).unwrap();
    let code = [
        include_str!("../csv_rows.rs"),
        include_str!("../date.rs"),
        include_str!("../header.rs"),
        include_str!("../sheet.rs"),
        include_str!("../decode.rs"),
        include_str!("../decoded.rs"),
        include_str!("../reading.rs"),
        include_str!("../unpack.rs"),
        include_str!("../kind.rs"),
        include_str!("../marks.rs"),
        include_str!("../roll_rows.rs"),
        include_str!("../table_rows.rs"),
        // What shows only beside what is believed is found where the two are merged.
        include_str!("../../../rollcall/src/ingest/changed_upns.rs"),
        include_str!("../../../rollcall/src/ingest/marks.rs"),
        include_str!("../../../rollcall/src/ingest/rolls.rs"),
        include_str!("../../../rollcall/src/ingest/tables.rs"),
    ]
    .concat();
    for name in rules.keys() {
        assert!(code.contains(&format!("\"{name}\"")), "nothing finds {name}");
    }
    // A rule is named as what is found begins to be told, or as the judgement of a field.
    let told = ["refuse(", "list(", "gather(", "file(", "Refused(", "Warned(", "fields, ", "rules, "];
    let after = told.iter().flat_map(|call| code.split(call).skip(1));
    let named = after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    let named: std::collections::BTreeSet<&str> = named.map(|(name, _)| name).collect();
    assert!(20 < named.len(), "{named:?}");
    for name in named {
        assert!(rules.contains_key(name), "{name} has no words");
    }
}

#[test]
fn a_value_that_is_taken_as_unknown_is_told() {
    let found = |text: &str| -> Vec<(String, Option<u64>, String)> {
        let files = read(bytes(text), &Mapping::default(), 1 << 20);
        assert_eq!((files[0].rows_in, files[0].rows_kept), (2, 2));
        files[0].problems.iter().map(|p| (p.rule.clone(), p.line, p.found.clone())).collect()
    };
    let says = |rule: &str, line, found: &str| vec![(rule.to_owned(), Some(line), found.to_owned())];
    let marks = "URN,UPN,Date,Session,Mark,MinutesLate\n140001,Q850200120003,2026-09-07,AM,L,5\n\
                 140001,Q850200120003,2026-09-08,AM,L,-5\n";
    assert_eq!(found(marks), says("unknown_value", 3, "MinutesLate: -5"));
    let roll = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n\
                140001,Q850200120003,Made,Up,2016-01-01,F,5,2026-09-01\n\
                140001,H850200723000,Made,Up,,F,5,2026-09-01\n";
    assert_eq!(found(roll), says("no_date_of_birth", 3, "DOB is blank"));
}

#[test]
fn what_a_column_may_hold_is_said() {
    let told = |text: &str| -> Vec<String> {
        let files = read(bytes(text), &Mapping::default(), 1 << 20);
        files[0].problems.iter().map(|p| format!("{}, {}", p.found, p.expected)).collect()
    };
    let roll = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,SEN,FSM\n\
                140001,Q850200120003,Made,Up,2016-01-01,Z,99,2026-09-01,S,perhaps\n";
    let values = [
        "Sex: Z, F or M, or a blank",
        "NCYear: 99, a year from 1 to 14, R, N, N1, N2, E1, E2 or X, or a blank",
        "FSM: AAAAAAA (7 characters), Y or N, or a blank",
        "SEN: S, one of N, K, E, or a blank",
    ];
    assert_eq!(told(roll), values);
    let born = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n\
                140001,Q850200120003,Made,Up,2016-02-31,F,5,2026-09-01\n";
    let dob = "DOB: 9999-99-99 (10 characters), the date of birth of every pupil, as YYYY-MM-DD or DD/MM/YYYY: \
               no figure counts a child without one";
    assert_eq!(told(born), [dob]);
    let parted = "URN;UPN;Date;Session;Mark\n140001;Q850200120003;2026-09-07;AM;/\n";
    let commas = "fields parted by semicolons, fields parted by commas; save the file as comma-separated CSV";
    assert_eq!(told(parted), [commas]);
    // Without its kind a case is none: it is refused, and a blank is not offered.
    let cases = "UPN,Kind,Opened\nQ850200120003,CMD,2026-09-07\n";
    assert_eq!(told(cases), ["Kind: AAA (3 characters), one of CME, EHE"]);
}

#[test]
fn what_cannot_be_unpacked_takes_nothing_with_it() {
    let marks = "URN,UPN,Date,Session,Mark\n140001,Q850200120003,2026-09-07,AM,/\n";
    let archive = |files: &[(&str, &[u8])]| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
            zip.start_file(*name, stored).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let said = |packed: Vec<u8>, limit: u64| -> Vec<(String, u64, Vec<String>)> {
        let files = read(bytes(packed), &Mapping::default(), limit);
        let rules = |file: &Decoded| file.problems.iter().map(|p| format!("{}: {}", p.rule, p.found)).collect();
        files.iter().map(|file| (file.name.clone(), file.rows_kept, rules(file))).collect()
    };
    let is = |name: &str, kept, rules: &[&str]| {
        (name.to_owned(), kept, rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>())
    };
    let [gz, zip] = packed(marks);
    // One byte of the first file is another than was packed.
    let mut damaged = archive(&[("a.csv", marks.as_bytes()), ("b.csv", marks.as_bytes())]);
    let at = damaged.windows(3).position(|three| three == b"Q85").unwrap();
    damaged[at] = b'R';
    let told = said(damaged, 1 << 20);
    assert!(told[0].1 == 0 && told[0].2[0].starts_with("unreadable_file"), "{told:?}");
    assert_eq!(told[1], is("m.csv/b.csv", 1, &[]));
    let twice = archive(&[("a.csv.gz", &gz), ("b.zip", &zip), ("c.csv", marks.as_bytes())]);
    let packed_twice = ["unreadable_file: a packed file in an archive"];
    assert_eq!(
        said(twice, 1 << 20),
        [is("m.csv/a.csv.gz", 0, &packed_twice), is("m.csv/b.zip", 0, &packed_twice), is("m.csv/c.csv", 1, &[])]
    );
    assert_eq!(said(archive(&[]), 1 << 20), [is("m.csv", 0, &["unreadable_file: an archive without a file"])]);
    // What all files come to counts: the second goes beyond it, the third is not begun.
    let long = marks.to_owned() + &"\n".repeat(100_000);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a", "b", "c"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(long.as_bytes()).unwrap();
    }
    let told = said(zip.finish().unwrap().into_inner(), 150_000);
    let too_large = ["too_large: unpacks to more than the limit"];
    assert_eq!(told, [is("m.csv/a", 1, &[]), is("m.csv/b", 0, &too_large), is("m.csv", 0, &too_large)]);
}

/// The first line a grid states: ` ` says nothing, `-` has no row, `.` no mark.
fn shown(grid: &SchoolGrid) -> String {
    String::from_utf8_lossy(&grid.stated(0, |_| true)[0].boxes).replace('\0', " ").replace('\u{2}', "-")
}

#[test]
fn a_source_of_changes_states_only_what_it_names() {
    let text = "URN,UPN,Date,Session,Mark,IsDeleted\n140001,Q850200120003,2026-09-07,AM,I,\n140001,Q850200120003,2026-09-09,PM,/,Y\n";
    let changes = Mapping { changes_only: true, ..Mapping::default() };
    let stated = |mapping: &Mapping| match &read(bytes(text), mapping, 1 << 20)[0].content {
        Content::Marks(schools) => shown(&schools[0]),
        _ => String::new(),
    };
    assert_eq!(stated(&changes), "I    .        ");
    assert_eq!(stated(&Mapping::default()), "I----.        ");
}

#[test]
fn a_row_without_its_day_withdraws_nothing_of_its_child() {
    let text = "URN,UPN,Date,Session,Mark\n140001,Q850200120003,2026-09-07,AM,I\n140001,Q850200120003,2026-09-31,PM,I\n\
                140001,H850200723000,2026-09-07,AM,I\n";
    let files = read(bytes(text), &Mapping::default(), 1 << 20);
    let Content::Marks(schools) = &files[0].content else { panic!("not marks") };
    let stated: Vec<String> =
        schools[0].stated(0, |_| true).iter().map(|s| s.boxes[..2].iter().map(|b| *b as char).collect()).collect();
    assert_eq!(stated, ["I\u{2}", "I\u{1}"]);
}

#[test]
fn a_schools_own_codes_are_mapped_and_never_guessed() {
    let text = "School URN,UPN,Date,Session,Mark\n140001,Q850200120003,2026-09-07,AM,PA\n140001,Q850200120003,2026-09-07,PM,@\n140001,Q850200120003,2026-09-08,AM,?\n";
    let mapping = Mapping {
        columns: BTreeMap::from([("schoolurn".to_owned(), "URN".to_owned())]),
        codes: BTreeMap::from([("PA".to_owned(), "/".to_owned()), ("@".to_owned(), String::new())]),
        school_codes: BTreeMap::from([(140_002, BTreeMap::from([("@".to_owned(), "O".to_owned())]))]),
        changes_only: false,
    };
    let files = read(bytes(text), &mapping, 1 << 20);
    assert_eq!((files[0].rows_kept, files[0].rows_refused), (2, 1));
    assert_eq!(files[0].problems[0].rule, "unknown_code");
    // Another school of the same file, whatever its name, means something else by the same code.
    let text = format!("{text}140002,H850200723000,2026-09-07,PM,@\n");
    let files = read(bytes(text), &mapping, 1 << 20);
    let Content::Marks(schools) = &files[0].content else { panic!("not marks") };
    assert_eq!((&shown(&schools[0])[..2], &shown(&schools[1])[..2]), ("/.", "-O"));
}

fn packed(text: &str) -> [Vec<u8>; 2] {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("inner.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    [gz.finish().unwrap(), zip.finish().unwrap().into_inner()]
}

#[test]
fn more_children_or_schools_than_there_are_fill_nothing() {
    let mut text = "URN,UPN,Date,Session,Mark\n".to_owned();
    for i in 0..20_010 {
        text += &format!("140001,Q8502001{i:05},2026-09-07,AM,/\n");
    }
    // A child that is known is still taken.
    text += "140001,Q850200100000,2026-09-07,PM,\\\n";
    for i in 0..4_010 {
        text += &format!("{},Q850200120003,2026-09-07,AM,/\n", 200_000 + i);
    }
    let files = read(bytes(text), &Mapping::default(), 1 << 30);
    assert_eq!((files[0].rows_kept, files[0].rows_refused), (20_000 + 1 + 3_999, 10 + 11));
    let count = |rule: &str| files[0].problems.iter().filter(|p| p.rule == rule).count();
    assert_eq!((count("too_many_pupils"), count("too_many_schools")), (10, 11));
}

#[test]
fn refused_rows_fill_no_more_than_kept_ones() {
    // One refused row a child, then one a week of the last child: lines of all children for each week.
    let mut text = "URN,UPN,Date,Session,Mark\n".to_owned();
    for urn in 140_001..140_012 {
        for i in 0..20_000 {
            text += &format!("{urn},Q8502001{i:05},2026-09-07,XX,/\n");
        }
        for week in 1..150 {
            let day = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap() - chrono::Days::new(7 * week);
            text += &format!("{urn},Q850200119999,{day},XX,/\n");
        }
    }
    let files = read(bytes(text), &Mapping::default(), 1 << 30);
    let Content::Marks(schools) = &files[0].content else { panic!("{:?}", files[0].problems.first()) };
    let lines: usize = schools.iter().map(SchoolGrid::lines_held).sum();
    assert!((20_000_000..=20_020_000).contains(&lines), "{lines}");
    assert_eq!((files[0].rows_kept, files[0].rows_refused), (0, 11 * 20_149));
}

#[test]
fn a_row_of_a_child_is_never_shown_as_it_stands() {
    let (upn, name, born) = ("Q850200120003", "Zzcanary", "2015-01-23");
    let shifted = format!("140001,{upn},{name},{born},AM,/");
    let texts = [
        format!("{shifted}\n{shifted}\n"),
        format!("Roll of Ash Primary\n140001,{upn},{name}\n"),
        format!(
            "URN,UPN,Date,Session,Mark\n{upn},{name},{name},{name},{name}\n140001,{upn},{upn},{name},/\n140001,{upn},2026-09-07,{name},/\n140001,{upn},2026-09-07,AM,{name}\n"
        ),
        format!(
            "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,LeavingGround,FSM,SEN\n140001,{upn},A,B,{name},{name},{upn},{name},{name},{name},{name}\n\
                 140001,{upn},A,B,2015-31-23,F,5,2026-09-01,{upn},{name},{name}\n{upn},140001,{name},A,{born},F,5,2026-09-01,,,\n"
        ),
        format!("UPN,Kind,Opened\n{upn},{name},{name}\n{name},CME,{upn}\n"),
    ];
    for text in texts {
        for file in read(bytes(text.clone()), &Mapping::default(), 1 << 20) {
            for problem in &file.problems {
                let said = format!("{} {}", problem.found, problem.expected);
                for secret in [upn, name, born, "2015-31-23", "8502001"] {
                    assert!(!said.contains(secret), "{}: {said}", problem.rule);
                }
            }
        }
    }
}

#[test]
fn a_type_of_intervention_is_known_by_its_name_too() {
    let rows = ["penalty_notice_paid", "Penalty Notice Paid", "FPN"]
        .map(|kind| format!("140001,Q850200120003,{kind},2026-09-07\n"));
    let text = format!("URN,UPN,Type,Date\n{}", rows.concat());
    let files = read(bytes(text), &Mapping::default(), u64::MAX);
    let Content::Rows { rows, .. } = &files[0].content else { panic!("no rows") };
    let types = rows.column_by_name("type").unwrap().as_string::<i32>();
    let types: Vec<&str> = types.iter().flatten().collect();
    assert_eq!(types, ["penalty_notice_paid", "penalty_notice_paid", "FPN"]);
    let told: Vec<(&str, Option<u64>, &str)> =
        files[0].problems.iter().map(|p| (p.rule.as_str(), p.line, p.expected.as_str())).collect();
    assert_eq!(told, [("unknown_value", Some(4), "one of penalty_notice_paid")]);
}

#[test]
fn codes_of_the_pandemic_count_on_their_days_alone() {
    let rows = ["2021-01-11,AM,X01", "2021-01-11,PM,i02", "2022-09-05,AM,X01"];
    let text =
        format!("URN,UPN,Date,Session,Mark\n{}", rows.map(|row| format!("140001,Q850200120003,{row}\n")).concat());
    let files = read_since(2020, bytes(text), &Mapping::default(), 1 << 20);
    let told: Vec<_> = files[0].problems.iter().map(|p| (p.rule.as_str(), p.line, p.found.as_str())).collect();
    assert_eq!(told, [("code_not_valid_on_day", Some(4), "X01")]);
    let codes = CodeTable::parse(CODES).unwrap();
    let Content::Marks(schools) = &files[0].content else { panic!("no marks") };
    let line = schools[0].stated(0, |_| true)[0].boxes;
    let class = |i: usize| codes.letter(line[i]).map(|c| (c.code.as_str(), c.class.as_str()));
    assert_eq!((class(0), class(1)), (Some(("X01", "not_possible")), Some(("I02", "authorised"))));
}

#[test]
fn a_code_is_judged_by_its_day_and_half_day() {
    let rows = [
        "2026-09-07,AM,H",
        "2026-09-07,PM,f",
        "2026-09-08,AM,J",
        "2026-09-08,PM,Y",
        "2026-09-09,AM,\\",
        "2026-09-09,PM,/",
        "2024-08-18,AM,C1",
        "2024-08-19,AM,C1",
        "2024-08-18,PM,K",
        "2024-08-19,PM,K",
        "2024-08-16,AM,H",
        "2026-09-10,AM,QQ",
    ];
    let text =
        format!("URN,UPN,Date,Session,Mark\n{}", rows.map(|row| format!("140001,Q850200120003,{row}\n")).concat());
    let file = read(bytes(text), &Mapping::default(), 1 << 20).remove(0);
    assert_eq!((file.rows_in, file.rows_kept), (12, 9));
    let told: Vec<_> =
        file.problems.iter().map(|p| (p.rule.as_str(), p.outcome, p.line, p.found.as_str(), p.rows)).collect();
    let (warn, refuse) = (model::Outcome::Warn, model::Outcome::RefuseRow);
    let expected = [
        ("legacy_code", warn, Some(2), "H", 1),
        ("legacy_code", warn, Some(3), "f", 1),
        ("legacy_code", warn, Some(4), "J", 1),
        ("legacy_code", warn, Some(5), "Y", 1),
        ("present_code_of_other_session", warn, Some(6), "\\", 1),
        ("present_code_of_other_session", warn, Some(7), "/", 1),
        ("code_not_valid_on_day", refuse, Some(8), "C1", 1),
        ("code_not_valid_on_day", refuse, Some(10), "K", 1),
        ("unknown_code", refuse, Some(13), "QQ", 1),
    ];
    assert_eq!(told, expected);
    let Content::Marks(schools) = &file.content else { panic!("no marks") };
    let stated = schools[0].stated(0, |_| true);
    let of = |monday: &str| {
        let monday: NaiveDate = monday.parse().unwrap();
        let line = stated.iter().find(|line| line.week == model::line::days_from_epoch(monday)).unwrap();
        line.boxes.map(char::from).iter().collect::<String>()
    };
    // What is between is stated without a mark; a refused row leaves what was believed.
    assert_eq!(of("2024-08-12"), "\0\0\0\0\0\0\0\0H\u{2}\u{2}\u{2}\u{1}\u{1}");
    assert_eq!(of("2026-09-07"), "HFJY\\/\u{1}\0\0\0\0\0\0\0");
}

#[test]
fn an_end_before_its_beginning_is_told() {
    let found = |text: &str| -> Vec<(u64, String, Option<u64>, String)> {
        let files = read(bytes(text), &Mapping::default(), 1 << 20);
        let kept = files[0].rows_kept;
        files[0].problems.iter().map(|p| (kept, p.rule.clone(), p.line, p.found.clone())).collect()
    };
    let says = |found: &str| vec![(2, "end_before_beginning".to_owned(), Some(3), found.to_owned())];
    let cases =
        "UPN,Kind,Opened,Closed\nQ850200120003,CME,2026-09-07,2026-09-07\nQ850200120003,CME,2026-09-07,2025-09-08\n";
    assert_eq!(found(cases), says("Closed 2025-09-08, Opened 2026-09-07"));
    let steps = "URN,UPN,Type,Date,EndDate\n140001,Q850200120003,penalty_notice_paid,2026-09-07,\n\
                 140001,Q850200120003,penalty_notice_paid,2026-09-07,2025-09-08\n";
    assert_eq!(found(steps), says("EndDate 2025-09-08, Date 2026-09-07"));
}

#[test]
fn a_quoted_line_break_at_the_edge_of_a_block_costs_no_row() {
    let row = |n: usize| {
        format!("140001,Q850200120003,\"Made\n{}\",Up,2016-01-01,F,5,20{:02}-09-01\n", "x".repeat(n % 7), n % 10 + 17)
    };
    let head = "URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate\n";
    let text = head.to_owned() + &(0..40_000).map(row).collect::<String>();
    let files = read(bytes(text), &Mapping::default(), 1 << 30);
    let rules: std::collections::BTreeSet<&str> = files[0].problems.iter().map(|p| p.rule.as_str()).collect();
    assert_eq!((files[0].rows_in, files[0].rows_kept), (40_000, 40_000));
    assert_eq!(Vec::from_iter(rules), ["stint_twice"]);
}

#[test]
fn rows_without_end_are_not_read_for_ever() {
    let text = "URN,UPN,Date,Session,Mark\n".to_owned() + &"\"\"a\",\"\n".repeat(500_000);
    let files = read(bytes(text), &Mapping::default(), 1 << 30);
    assert!(
        files[0].problems.iter().any(|p| p.found == "more than 200 rows that do not end"),
        "{:?}",
        files[0].problems.last()
    );
    assert_eq!(files[0].status(), "refused");
}

#[test]
fn a_file_that_is_no_csv_says_what_it_is() {
    for (bytes_of, what) in [
        (&b"%PDF-1.7\n"[..], "a PDF"),
        (b"\x89PNG\r\n", "an image"),
        (b"\n <!DOCTYPE html>\n", "a web page, of a login perhaps"),
    ] {
        let files = read(bytes(bytes_of), &Mapping::default(), 1 << 20);
        assert_eq!(
            (files[0].problems[0].rule.as_str(), files[0].problems[0].found.as_str()),
            ("unreadable_file", what)
        );
    }
}
