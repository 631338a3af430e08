//! Pipelines: steps in order, from a TOML file that holds no logic.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use engine::Library;
use serde::Deserialize;

use crate::{House, progress, publish, submission};
use chrono::{DateTime, NaiveDate, Utc};

/// `pipelines/NAME.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pipeline {
    about: String,
    step: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Ingest(IngestStep),
    Publish(PublishStep),
    Submission(SubmissionStep),
    Vacuum(VacuumStep),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IngestStep {
    ingest: String,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishStep {
    publish: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmissionStep {
    submission: String,
    to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VacuumStep {
    vacuum_after_days: u32,
}

/// The product's own pipelines; a file beside the configuration stands before them.
const NIGHTLY: &str = include_str!("../../../pipelines/nightly.toml");

impl Pipeline {
    fn read(folder: &Path, name: &str, library: &Library) -> Result<Self> {
        let path = folder.join("pipelines").join(format!("{name}.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if name == "nightly" => NIGHTLY.to_owned(),
            Err(_) => bail!(
                "there is no pipeline `{name}`: neither {} nor one of the product's own (nightly)",
                path.display()
            ),
        };
        let pipeline: Self = toml::from_str(&text).with_context(|| {
            format!(
                "{}: a step is one of `ingest` + `source`, `publish`, `submission` + `to`, `vacuum_after_days`",
                path.display()
            )
        })?;
        for step in &pipeline.step {
            step.check(library).with_context(|| path.display().to_string())?;
        }
        Ok(pipeline)
    }
}

impl Step {
    /// Whether what it names is there. A folder of files may be mounted later.
    fn check(&self, library: &Library) -> Result<()> {
        match self {
            Self::Ingest(step) => drop(crate::config::source_name(&step.source)?),
            Self::Publish(step) if library.of_folder(&step.publish).next().is_none() => {
                bail!("publish = \"{}\": there is no such folder of definitions; metrics is one", step.publish)
            }
            Self::Submission(step) => submission::check_name(&step.submission)?,
            Self::Publish(_) | Self::Vacuum(_) => {}
        }
        Ok(())
    }
}

/// Reads every pipeline beside the configuration, and the product's own. Says how many there are.
pub(crate) fn check(house: &House) -> Result<usize> {
    let folder = &house.config.folder;
    let mut names = BTreeSet::from(["nightly".to_owned()]);
    for entry in std::fs::read_dir(folder.join("pipelines")).into_iter().flatten() {
        let path = entry?.path();
        if path.extension().is_some_and(|of| of == "toml") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    for name in &names {
        Pipeline::read(folder, name, &house.library)?;
    }
    Ok(names.len())
}

/// Runs a pipeline once.
pub(crate) async fn run(
    house: &House,
    name: &str,
    as_of: Option<NaiveDate>,
    known_at: Option<DateTime<Utc>>,
    json: bool,
) -> Result<()> {
    let folder = house.config.folder.clone();
    let pipeline = Pipeline::read(&folder, name, &house.library)?;
    if !json {
        println!("{name}: {}", pipeline.about);
    }
    // What a run that was cut off left comes before all that is new.
    let landed = house.take_what_has_landed(&progress::Bar::new(json)).await?;
    if 0 < landed {
        say(json, "ingest", &format!("{landed} arrivals that had landed before are taken"));
    }
    let mut not_taken = Vec::new();
    for step in &pipeline.step {
        let bar = progress::Bar::new(json);
        match step {
            Step::Ingest(step) => {
                let drop = folder.join(&step.ingest);
                if !drop.is_dir() {
                    // A share that is not mounted looks like a quiet night.
                    let remedy = "there is no such folder; make it, mount it, or correct `ingest` in the pipeline";
                    not_taken.push(format!("{}: {remedy}", drop.display()));
                    continue;
                }
                let offer = sources::arrival::offered(std::slice::from_ref(&drop));
                if offer.files.is_empty() && offer.faults.is_empty() {
                    say(json, "ingest", &format!("nothing in {}", drop.display()));
                    continue;
                }
                let ingest = house.ingest(&bar).await?;
                let summary = ingest.new_files(&step.source, &drop, offer.files, crate::now()).await?;
                not_taken.extend(offer.faults);
                bar.finish();
                match summary {
                    Some(summary) => crate::ask::print_summary(&summary, json),
                    None => say(json, "ingest", &format!("nothing new in {}", drop.display())),
                }
            }
            Step::Publish(step) => {
                let session = house.session(as_of, known_at).await?;
                if session.run().n == 0 {
                    // A folder of figures and no ledger would be taken for another's than a lake's.
                    say(json, "publish", "nothing is held yet");
                    continue;
                }
                let tables = publish::publish(house, &session, &step.publish, &bar).await?;
                bar.finish();
                say(json, "publish", &format!("{tables} tables below {}published/", house.lake.url()));
            }
            Step::Submission(step) => {
                let session = house.session(as_of, known_at).await?;
                let built = submission::build(house, &session, &step.submission)
                    .await
                    .with_context(|| format!("step submission = \"{}\"", step.submission))?;
                let said = submission::write(&built, &folder.join(&step.to))?;
                say(json, "submission", &said);
            }
            Step::Vacuum(step) => {
                let _turn = house.turn().await?;
                let before = crate::now() - chrono::Duration::days(i64::from(step.vacuum_after_days));
                let lake::vacuum::Vacuumed { files, bytes } = lake::vacuum::vacuum(&house.lake, before).await?;
                let size = indicatif::HumanBytes(bytes);
                say(json, "vacuum", &format!("{files} files that no run names any more ({size}) taken away"));
            }
        }
    }
    if !not_taken.is_empty() {
        bail!("all else is done, but this could not be taken in: {}", not_taken.join("; "));
    }
    Ok(())
}

fn say(json: bool, step: &str, words: &str) {
    if json {
        println!("{}", serde_json::json!({ "step": step, "said": words }));
    } else {
        println!("  {step}: {words}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_products_own_pipeline_can_be_read_and_a_wrong_step_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::load(None).unwrap();
        let read = |name: &str| Pipeline::read(folder.path(), name, &library);
        assert_eq!(read("nightly").unwrap().step.len(), 4);
        assert!(read("weekly").unwrap_err().to_string().contains("weekly"));
        std::fs::create_dir(folder.path().join("pipelines")).unwrap();
        for wrong in
            ["sql = 'DROP'", "publish = 'metricz'", "submission = 'x'\nto = 'y'", "ingest = 'x'\nsource = '../'"]
        {
            let path = folder.path().join("pipelines/x.toml");
            std::fs::write(path, format!("about = 'x'\n[[step]]\n{wrong}\n")).unwrap();
            assert!(read("x").is_err(), "{wrong}");
        }
    }
}
