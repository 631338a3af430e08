//! The columns of the published attendance file, in their order: one table from which the data file,
//! its header and its meta file are all made.
//!
//! Source of names and order: the DfE's `EES_ytd_data.csv`, 2025/26. Source of the classes: the
//! identities that hold in every published row (register codes of SI 2024/208; H, F and J are
//! retired but still arrive).

/// Register codes that are counted alike.
pub(crate) type Class = &'static [&'static str];

const PRESENT_AM: Class = &["/"];
const PRESENT_PM: Class = &["\\"];
const LATE_BEFORE_CLOSE: Class = &["L"];
const EDUCATED_ELSEWHERE: Class = &["B", "J", "K", "P", "V", "W"];
const AUTHORISED: Class = &["C", "C1", "C2", "E", "F", "H", "I", "I01", "I02", "J1", "M", "R", "S", "T"];
/// I01 and I02 were illness with COVID-19, in 2020 to 2022.
const ILLNESS: Class = &["I", "I01", "I02"];
const UNAUTHORISED: Class = &["G", "N", "O", "U"];

/// Every session that counts: attended or absent.
pub(crate) const POSSIBLE: &[Class] =
    &[PRESENT_AM, PRESENT_PM, LATE_BEFORE_CLOSE, EDUCATED_ELSEWHERE, AUTHORISED, UNAUTHORISED];

/// Register codes that are no possible session and so are in no column.
pub(crate) const NOT_POSSIBLE: Class = &[
    "#", "D", "Q", "X", "X00", "X01", "X02", "X03", "X04", "X05", "X06", "X07", "Y", "Y1", "Y2", "Y3", "Y4", "Y5",
    "Y6", "Y7", "Z",
];

/// What a column holds.
pub(crate) enum Figure {
    /// Schools whose registers are in the figures.
    SchoolsReceived,
    /// Schools there are.
    SchoolsTotal,
    /// Enrolments in the figures.
    Enrolments,
    /// Enrolments there are.
    EnrolmentsTotal,
    /// Sessions marked with a code of these classes.
    Sessions(&'static [Class]),
    /// The same sessions as a percentage of the possible ones.
    Percent(&'static [Class]),
    /// Persistent absentees as a percentage of enrolments with a possible session.
    PersistentPercent,
}

/// One indicator: a column of the data file and a line of the meta file.
pub(crate) struct Column {
    pub name: &'static str,
    pub label: &'static str,
    pub grouping: &'static str,
    pub figure: Figure,
}

impl Column {
    /// Unit for the meta file, and decimal places for showing; the data file is unrounded.
    pub(crate) fn unit_and_places(&self) -> (&'static str, &'static str) {
        match self.figure {
            Figure::Percent(_) | Figure::PersistentPercent => ("%", "1"),
            _ => ("", "0"),
        }
    }

    /// Whether the value is shown even where the row is suppressed.
    pub(crate) fn always_shown(&self) -> bool {
        matches!(self.figure, Figure::SchoolsReceived | Figure::SchoolsTotal)
    }
}

/// Time and place columns before the filter. `time_identifier` stands last in the file.
pub(crate) const PLACE: [&str; 9] = [
    "time_period",
    "geographic_level",
    "country_code",
    "country_name",
    "region_code",
    "region_name",
    "new_la_code",
    "la_name",
    "old_la_code",
];
/// The one filter.
pub(crate) const PHASE: &str = "education_phase";
/// The column that ends each row.
pub(crate) const TIME_IDENTIFIER: &str = "time_identifier";

const SCHOOLS: &str = "Schools and enrolments";
const SESSIONS: &str = "Sessions";
const ATTENDING: &str = "Reasons: attending";
const AUTHORISED_REASONS: &str = "Reasons: authorised absence";
const UNAUTHORISED_REASONS: &str = "Reasons: unauthorised absence";
const RATES: &str = "Rates";
const REASON_RATES: &str = "Rates by reason for absence";

const fn column(name: &'static str, label: &'static str, grouping: &'static str, figure: Figure) -> Column {
    Column { name, label, grouping, figure }
}

use Figure::{Enrolments, EnrolmentsTotal, Percent, PersistentPercent, SchoolsReceived, SchoolsTotal, Sessions};

/// Every indicator in the order of the published file.
pub(crate) const COLUMNS: &[Column] = &[
    column("num_schools", "Number of schools in the figures", SCHOOLS, SchoolsReceived),
    column("enrolments", "Number of enrolments in the figures", SCHOOLS, Enrolments),
    column(
        "present_sessions",
        "Sessions present in school",
        SESSIONS,
        Sessions(&[PRESENT_AM, PRESENT_PM, LATE_BEFORE_CLOSE]),
    ),
    column(
        "overall_attendance",
        "Sessions attended",
        SESSIONS,
        Sessions(&[PRESENT_AM, PRESENT_PM, LATE_BEFORE_CLOSE, EDUCATED_ELSEWHERE]),
    ),
    column(
        "approved_educational_activity",
        "Sessions of approved educational activity",
        SESSIONS,
        Sessions(&[EDUCATED_ELSEWHERE]),
    ),
    column("overall_absence", "Sessions of absence", SESSIONS, Sessions(&[AUTHORISED, UNAUTHORISED])),
    column("authorised_absence", "Sessions of authorised absence", SESSIONS, Sessions(&[AUTHORISED])),
    column("unauthorised_absence", "Sessions of unauthorised absence", SESSIONS, Sessions(&[UNAUTHORISED])),
    column(
        "late_sessions",
        "Sessions late, before or after registers closed",
        SESSIONS,
        Sessions(&[LATE_BEFORE_CLOSE, &["U"]]),
    ),
    column("possible_sessions", "Possible sessions", SESSIONS, Sessions(POSSIBLE)),
    column("reason_present_am", "Present in the morning", ATTENDING, Sessions(&[PRESENT_AM])),
    column("reason_present_pm", "Present in the afternoon", ATTENDING, Sessions(&[PRESENT_PM])),
    column("reason_present", "Present", ATTENDING, Sessions(&[PRESENT_AM, PRESENT_PM])),
    column(
        "reason_l_present_late_before_registers_closed",
        "Late, before registers closed (L)",
        ATTENDING,
        Sessions(&[LATE_BEFORE_CLOSE]),
    ),
    column("reason_i_authorised_illness", "Illness (I)", AUTHORISED_REASONS, Sessions(&[ILLNESS])),
    column(
        "reason_m_authorised_medical_dental",
        "Medical or dental appointment (M)",
        AUTHORISED_REASONS,
        Sessions(&[&["M"]]),
    ),
    column(
        "reason_r_authorised_religious_observance",
        "Religious observance (R)",
        AUTHORISED_REASONS,
        Sessions(&[&["R"]]),
    ),
    column("reason_s_authorised_study_leave", "Study leave (S)", AUTHORISED_REASONS, Sessions(&[&["S"]])),
    column("reason_t_authorised_mobile_child", "Mobile child (T)", AUTHORISED_REASONS, Sessions(&[&["T"]])),
    column("reason_h_authorised_holiday", "Authorised holiday (H, retired)", AUTHORISED_REASONS, Sessions(&[&["H"]])),
    column("reason_e_authorised_excluded", "Suspended or excluded (E)", AUTHORISED_REASONS, Sessions(&[&["E"]])),
    column("reason_c_authorised_other", "Other exceptional circumstance (C)", AUTHORISED_REASONS, Sessions(&[&["C"]])),
    column(
        "reason_c1_authorised_regulated_performance",
        "Regulated performance or employment abroad (C1)",
        AUTHORISED_REASONS,
        Sessions(&[&["C1"]]),
    ),
    column("reason_j1_authorised_interview", "Interview (J1)", AUTHORISED_REASONS, Sessions(&[&["J1"]])),
    column(
        "reason_c2_authorised_temp_reduced_timetable",
        "Temporary reduced timetable (C2)",
        AUTHORISED_REASONS,
        Sessions(&[&["C2"]]),
    ),
    column("reason_b_aea_education_off_site", "Educated off site (B)", ATTENDING, Sessions(&[&["B"]])),
    column("reason_j_aea_interview", "Interview (J, retired)", ATTENDING, Sessions(&[&["J"]])),
    column("reason_p_aea_approved_sporting_activity", "Sporting activity (P)", ATTENDING, Sessions(&[&["P"]])),
    column("reason_v_aea_educational_visit_trip", "Educational visit or trip (V)", ATTENDING, Sessions(&[&["V"]])),
    column("reason_w_aea_work_experience", "Work experience (W)", ATTENDING, Sessions(&[&["W"]])),
    column(
        "reason_k_aea_education_arranged_by_la",
        "Education arranged by the local authority (K)",
        ATTENDING,
        Sessions(&[&["K"]]),
    ),
    column("reason_g_unauthorised_holiday", "Holiday not agreed (G)", UNAUTHORISED_REASONS, Sessions(&[&["G"]])),
    column(
        "reason_u_unauthorised_late_after_registers_closed",
        "Late, after registers closed (U)",
        UNAUTHORISED_REASONS,
        Sessions(&[&["U"]]),
    ),
    column("reason_o_other_unauthorised", "Other unauthorised (O)", UNAUTHORISED_REASONS, Sessions(&[&["O"]])),
    column("reason_n_no_reason_yet", "Reason not yet known (N)", UNAUTHORISED_REASONS, Sessions(&[&["N"]])),
    column("total_num_schools", "Number of schools", SCHOOLS, SchoolsTotal),
    column("total_enrolments", "Number of enrolments", SCHOOLS, EnrolmentsTotal),
    column(
        "attendance_perc",
        "Attendance rate",
        RATES,
        Percent(&[PRESENT_AM, PRESENT_PM, LATE_BEFORE_CLOSE, EDUCATED_ELSEWHERE]),
    ),
    column("overall_absence_perc", "Absence rate", RATES, Percent(&[AUTHORISED, UNAUTHORISED])),
    column("authorised_absence_perc", "Authorised absence rate", RATES, Percent(&[AUTHORISED])),
    column("unauthorised_absence_perc", "Unauthorised absence rate", RATES, Percent(&[UNAUTHORISED])),
    column("illness_perc", "Illness rate", REASON_RATES, Percent(&[ILLNESS])),
    column("appointments_perc", "Medical or dental appointment rate", REASON_RATES, Percent(&[&["M"]])),
    column("unauth_hol_perc", "Holiday not agreed rate", REASON_RATES, Percent(&[&["G"]])),
    column("unauth_oth_perc", "Other unauthorised rate", REASON_RATES, Percent(&[&["O"]])),
    column("unauth_late_registers_closed_perc", "Late after registers closed rate", REASON_RATES, Percent(&[&["U"]])),
    column("unauth_not_yet_perc", "Reason not yet known rate", REASON_RATES, Percent(&[&["N"]])),
    column("auth_religious_perc", "Religious observance rate", REASON_RATES, Percent(&[&["R"]])),
    column("auth_study_perc", "Study leave rate", REASON_RATES, Percent(&[&["S"]])),
    column("auth_mob_perc", "Mobile child rate", REASON_RATES, Percent(&[&["T"]])),
    column("auth_excluded_perc", "Suspended or excluded rate", REASON_RATES, Percent(&[&["E"]])),
    column("auth_performance_perc", "Regulated performance rate", REASON_RATES, Percent(&[&["C1"]])),
    column("auth_interview_perc", "Interview rate", REASON_RATES, Percent(&[&["J1"]])),
    column("auth_part_time_perc", "Temporary reduced timetable rate", REASON_RATES, Percent(&[&["C2"]])),
    column("auth_other_perc", "Other exceptional circumstance rate", REASON_RATES, Percent(&[&["C"]])),
    column("pa_perc", "Persistent absence rate", RATES, PersistentPercent),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_register_codes() {
        let table = include_str!("../../../sql/reference/attendance_code.csv");
        let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let classes: [(&[&str], &[Class]); 5] = [
            (&["present"], &[PRESENT_AM, PRESENT_PM, LATE_BEFORE_CLOSE]),
            (&["educational"], &[EDUCATED_ELSEWHERE]),
            (&["authorised"], &[AUTHORISED]),
            (&["unauthorised"], &[UNAUTHORISED]),
            (&["not_possible", "administrative"], &[NOT_POSSIBLE]),
        ];
        for (names, codes) in classes {
            let mut codes: Vec<&str> = codes.iter().copied().flatten().copied().collect();
            let mut of_table: Vec<&str> = rows.iter().filter(|row| names.contains(&row[2])).map(|row| row[0]).collect();
            codes.sort_unstable();
            of_table.sort_unstable();
            assert_eq!(codes, of_table, "{names:?}");
        }
        assert!(40 < rows.len() && ILLNESS.iter().all(|code| AUTHORISED.contains(code)));
    }
}
