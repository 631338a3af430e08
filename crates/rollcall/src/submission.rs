//! Submissions: a ledger version and its times in, bytes out, the same on any machine.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use engine::session::Session;
use outputs::{Built, Outcome, PhaseCounts, Request, Submission};

use crate::House;

/// A built submission and what is recorded of it.
pub(crate) struct Made {
    built: Built,
    entry: Submission,
}

/// Whether there is a submission of that name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name != outputs::attendance_open_data::NAME {
        bail!("there is no submission `{name}`; there is {}", outputs::attendance_open_data::NAME);
    }
    Ok(())
}

/// Builds a submission twice, and screens it; two builds that differ are a fault of ours.
pub(crate) async fn build(house: &House, session: &Session, name: &str) -> Result<Made> {
    check_name(name)?;
    let request = request(house, session).await?;
    let built = outputs::build(&request)?;
    let again = outputs::build(&self::request(house, session).await?)?;
    if built.data != again.data || built.meta != again.meta {
        bail!("two builds of {name} differ; nothing was written");
    }
    let findings = outputs::screen(&built.data_name, &built.data, &built.meta_name, &built.meta);
    let failed: Vec<String> =
        findings.iter().filter(|f| f.outcome == Outcome::Fail).map(|f| format!("{}: {}", f.check, f.message)).collect();
    if !failed.is_empty() {
        bail!("{name} does not pass the screening rules: {}", failed.join("; "));
    }
    let at = session.as_of();
    let entry = Submission::of_attendance(
        &built,
        &request.academic_year,
        session.run().n,
        at.as_of,
        at.known_at,
        request.made_up,
    );
    Ok(Made { built, entry })
}

async fn request(house: &House, session: &Session) -> Result<Request> {
    let rows = session.objects("SELECT * FROM submissions.attendance_open_data ORDER BY phase, code").await?;
    let mut phases: BTreeMap<String, PhaseCounts> = BTreeMap::new();
    for row in &rows {
        let whole = |name: &str| row.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let words = |name: &str| row.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let phase = phases.entry(words("phase")).or_insert_with(|| PhaseCounts {
            phase: words("phase"),
            schools_received: whole("schools_received"),
            schools_total: whole("schools_open"),
            enrolments: whole("enrolments") as f64,
            enrolments_total: whole("on_roll"),
            persistent: whole("persistent"),
            pa_enrolments: whole("enrolments"),
            present_am: 0,
            present_pm: 0,
            codes: BTreeMap::new(),
        });
        match words("code").as_str() {
            "/" => phase.present_am = whole("sessions"),
            "\\" => phase.present_pm = whole("sessions"),
            "" => {}
            code => {
                phase.codes.insert(code.to_owned(), whole("sessions"));
            }
        }
    }
    if phases.values().all(|phase| phase.enrolments == 0.0) {
        bail!("no figure of a primary, secondary or special school is held for this school year; nothing to submit");
    }
    Ok(Request {
        la_code: house.config.la_code,
        academic_year: model::AcademicYear::of(session.as_of().as_of).label(),
        time_identifier: outputs::attendance_open_data::YEAR_TO_DATE.to_owned(),
        phases: phases.into_values().collect(),
        made_up: house.config.made_up,
    })
}

/// Writes the files and the ledger entry; says what differs from those that were there.
pub(crate) fn write(made: &Made, folder: &Path) -> Result<String> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let data = folder.join(&made.built.data_name);
    let before = std::fs::read(&data).ok();
    for (name, bytes) in [(&made.built.data_name, &made.built.data), (&made.built.meta_name, &made.built.meta)] {
        std::fs::write(folder.join(name), bytes).with_context(|| name.clone())?;
    }
    let entry = serde_json::to_vec_pretty(&made.entry)?;
    std::fs::write(folder.join(format!("{}.json", made.built.data_name)), entry)?;
    let mut said = format!("{} (sha256 {})", data.display(), made.built.sha256);
    if let Some(before) = before {
        let changes = outputs::diff(&before, &made.built.data);
        said += &match changes.len() {
            0 => "; the same as before".to_owned(),
            n => format!("; {n} changes, first: {}", changes[0]),
        };
    }
    Ok(said)
}
