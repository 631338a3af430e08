//! Metrics as Delta tables of their own, for Power BI and Fabric.

use std::collections::BTreeMap;

use anyhow::Result;
use engine::session::Session;
use futures::StreamExt;
use lake::TableState;
use lake::delta::Target;
use lake::parquet_file::FileWriter;

use crate::House;
use crate::ingest::Progress;

/// Writes every definition of a folder below `published/`, each replacing what it held before.
pub(crate) async fn publish(house: &House, session: &Session, folder: &str, progress: &dyn Progress) -> Result<usize> {
    let names: Vec<String> = session.library().of_folder(folder).map(|d| d.name.clone()).collect();
    for (i, name) in names.iter().enumerate() {
        let root = lake::path::published(name);
        let mut stream = session.stream(&format!("SELECT * FROM {name}")).await?;
        let mut writer = FileWriter::new(stream.schema())?;
        let target = Target { name: "published", root: root.clone(), schema: stream.schema(), partitions: Vec::new() };
        while let Some(batch) = stream.next().await {
            writer.write(&batch?)?;
        }
        let files = writer.put(&house.lake, &root, BTreeMap::new()).await?.into_iter().collect();
        let run = session.run();
        lake::delta::commit(&house.lake, &target, &TableState::default(), files, 0, run.known_at.timestamp_millis())
            .await?;
        progress.step("publishing", i as u64 + 1, names.len() as u64);
    }
    Ok(names.len())
}
