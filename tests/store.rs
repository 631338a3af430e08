//! A lake on a store that fails: one request in ten, at random, before or after it has done what it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use futures::stream::BoxStream;
use lake::register::month::{Month, finish, reaches};
use lake::register::{Roots, Stated};
use lake::{Lake, LakeError, RunRecord, Table, TableState};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug)]
struct Failing {
    inner: object_store::memory::InMemory,
    /// State of a small generator of numbers, one step a request.
    state: AtomicU64,
    failed: AtomicU64,
}

impl std::fmt::Display for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a store that fails")
    }
}

enum Fails {
    No,
    Before,
    After,
}

impl Failing {
    fn fails(&self) -> Fails {
        let step = |s: u64| Some(s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
        let state = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).unwrap_or_default();
        match (state >> 33) % 20 {
            0 => Fails::Before,
            1 => Fails::After,
            _ => Fails::No,
        }
    }

    fn fault(&self) -> Error {
        self.failed.fetch_add(1, Ordering::SeqCst);
        Error::Generic { store: "failing", source: "the connection was reset".into() }
    }

    async fn request<T>(&self, done: impl Future<Output = Result<T>>) -> Result<T> {
        match self.fails() {
            Fails::No => done.await,
            Fails::Before => Err(self.fault()),
            Fails::After => {
                done.await?;
                Err(self.fault())
            }
        }
    }
}

#[async_trait::async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.request(self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.request(self.inner.put_multipart_opts(location, opts)).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.request(self.inner.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fails() {
            Fails::No => self.inner.list(prefix),
            _ => futures::stream::iter([Err(self.fault())]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.request(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.request(self.inner.copy_opts(from, to, options)).await
    }
}

/// What run n states: a line of two schools, another each time.
fn stated(n: u64, urn: i32) -> Vec<Stated> {
    let mut boxes = *b"/\\/\\/\\/\\/\\....";
    boxes[n as usize % 10] = b'I';
    let monday = 20_703 + 7 * (n as i32 / 3);
    vec![Stated { pupil_key: i64::from(urn) * 10, week: monday, boxes, return_id: n as i64 }]
}

/// Run n from what the lake holds, unless it is there already; all over again after a fault.
async fn run(lake: &Lake, n: u64) -> Result<(), LakeError> {
    let before = RunRecord::newest(lake).await?;
    if n <= before.n {
        return Ok(());
    }
    let state = before.table(Table::RegisterWeek);
    let mut files = state.files.clone();
    for (name, (reach, weeks)) in reaches(&state, &BTreeSet::from([stated(n, 140001)[0].week])) {
        let mut month = Month::begin(lake, &state, &name, reach, (i32::MIN, i32::MAX)).await?;
        for urn in [140001, 140002].into_iter().filter(|_| !weeks.is_empty()) {
            let withdrawn = month.merge_school(urn, &stated(n, urn), &Roots::new(), n as i64 * 1_000_000)?;
            assert!(withdrawn.is_empty());
        }
        files.retain(|f| f.partition.get("month") != Some(&name));
        files.extend(finish(lake, &state, &name, vec![month]).await?.0);
    }
    let state: TableState = lake::delta::commit(lake, &registers(), &state, files, n, n as i64).await?;
    let tables = BTreeMap::from([(Table::RegisterWeek.name().to_owned(), state)]);
    RunRecord { n, tables, ..before }.put(lake).await
}

fn registers() -> lake::delta::Target {
    let table = Table::RegisterWeek;
    lake::delta::Target {
        name: table.name(),
        root: lake::path::table(table),
        schema: table.schema(),
        partitions: table.partitions().to_vec(),
    }
}

async fn lines(lake: &Lake) -> (u64, String) {
    let newest = RunRecord::newest(lake).await.unwrap();
    let mut files = newest.table(Table::RegisterWeek).files;
    files.sort();
    let rows = lake::parquet_file::read_all(lake, Table::RegisterWeek, files.iter()).await.unwrap();
    (newest.n, arrow::util::pretty::pretty_format_batches(&[rows]).unwrap().to_string())
}

#[tokio::test]
async fn a_store_that_fails_one_request_in_ten_loses_nothing_and_doubles_nothing() {
    let url = || url::Url::parse("memory:///lake/").unwrap();
    let sound = Lake::over(Arc::new(object_store::memory::InMemory::new()), url());
    for n in 1..=12 {
        run(&sound, n).await.unwrap();
    }
    for seed in 0..20 {
        let store = Arc::new(Failing {
            inner: object_store::memory::InMemory::new(),
            state: AtomicU64::new(seed),
            failed: AtomicU64::new(0),
        });
        let lake = Lake::over(store.clone(), url());
        for n in 1..=12 {
            // Each attempt ends in a clear error or in the whole run.
            while let Err(e) = run(&lake, n).await {
                // A run whose record was put before the fault is met again as one of somebody else.
                let is_told = matches!(e, LakeError::Overtaken(_))
                    || matches!(e, LakeError::Store { .. } | LakeError::Delta { .. });
                assert!(is_told, "{e}");
            }
        }
        assert!(0 < store.failed.load(Ordering::SeqCst), "nothing failed with seed {seed}");
        // Reading what stands, with the faults over.
        store.state.store(3, Ordering::SeqCst);
        let lake = Lake::over(Arc::new(store.inner.fork()), url());
        assert_eq!(lines(&lake).await, lines(&sound).await, "seed {seed}");
        // The log, read by the library, holds the run's files: there is nothing to commit.
        let state = RunRecord::newest(&lake).await.unwrap().table(Table::RegisterWeek);
        let log = lake::delta::commit(&lake, &registers(), &TableState::default(), state.files.clone(), 13, 0).await;
        assert_eq!(log.unwrap(), state, "seed {seed}");
    }
}
