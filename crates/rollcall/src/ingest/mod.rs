//! Taking in arrivals: landing → decoded → judged → merged → recorded.
//!
//! An arrival lands whole and is given a receipt before anything is made of it; what is made of it depends
//! on the ledger before it and on its landed bytes alone. So a run that was cut off is finished from
//! landing, a rebuild gives the same ledger, and an arrival that was received before others already taken
//! is fitted in by taking all of them again in order.

mod again;
mod alerts;
mod changed_upns;
mod coverage;
mod files;
mod marks;
mod problems;
mod retold;
mod rolls;
mod tables;
mod versions;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::{Context as _, Result, bail};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, NaiveDate, Utc};
use engine::{Engine, EngineError, Library};
use futures::StreamExt;
use lake::delta::Target;
use lake::landing::{self, Receipt, ReceiptFile, SetAside};
use lake::register::Roots;
use lake::{Lake, LakeError, RunRecord, Table, TableState, Turn};
use model::{AsOf, Problem};
use sources::arrival::{Offer, Offered, offered};
use sources::{Decoded, Kind, OfSchool, Packed, Shelf};
use tokio::task::JoinHandle;

use crate::config::Config;

/// What one return came to.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The return.
    pub return_id: i64,
    /// Its file.
    pub file: String,
    /// Its kind, or `unknown`.
    pub kind: &'static str,
    /// Its school, where all rows are of one.
    pub urn: Option<i32>,
    /// SHA-256 of the bytes that landed.
    pub sha256: String,
    /// Rows in, kept and refused.
    pub rows: (u64, u64, u64),
    /// Whether the whole file was refused.
    pub refused: bool,
    /// First and last day stated.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// What was kept of it, school by school.
    pub schools: Vec<OfSchool>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// What an ingest came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Arrivals taken: those left over from a run that was cut off too.
    pub arrivals: u64,
    /// The ledger version afterwards.
    pub version: u64,
    /// The returns of the arrival asked for, and those of earlier ones that it took with it.
    pub returns: Vec<Taken>,
    /// How many of them came earlier, of schools that GIAS did not know then.
    pub taken_again: usize,
    /// When the newest arrival taken before was received, where that is later than this one was.
    pub fitted_in_before: Option<DateTime<Utc>>,
    /// Lines opened and closed.
    pub changed: lake::register::Changed,
}

/// Says how far a long piece of work has come.
pub trait Progress: Sync {
    /// So many of so many things of a stage are done.
    fn step(&self, stage: &'static str, done: u64, of: u64);
}

/// Everything an ingest needs.
pub struct Ingest<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The lake.
    pub lake: &'a Lake,
    /// What the names mean.
    pub library: &'a Arc<Library>,
    /// Answers questions of the rules.
    pub engine: &'a Engine,
    /// Told how far it has come.
    pub progress: &'a dyn Progress,
    /// No other process of this machine writes meanwhile.
    pub _turn: Turn,
}

/// Marks files that were decoded as they landed, by the numbers of their returns.
type Ahead = BTreeMap<i64, Packed>;

/// Files that have landed, in order of name.
struct Landed {
    files: Vec<ReceiptFile>,
    ahead: Ahead,
}

/// A ledger between two runs: its files are written, no run names them yet.
struct Staged {
    run: RunRecord,
    roots: Roots,
}

impl Ingest<'_> {
    /// Takes in files and folders as one arrival.
    pub async fn arrival(&self, source: &str, paths: &[PathBuf], received_at: DateTime<Utc>) -> Result<Summary> {
        let run = self.finish_what_was_cut_off().await?;
        let Offer { files, faults } = self.offered(paths)?;
        if !faults.is_empty() {
            bail!("nothing was taken in: {}", faults.join("; "));
        }
        let landed = self.land_all(source, files, trimmed(received_at)).await?;
        self.received(run, source, landed, trimmed(received_at)).await
    }

    /// Takes in, as one arrival, those files offered by a folder that do not lie there as they were taken the last time; none
    /// where nothing is new. A file that stays in its folder was sent once: taken again every night, it would undo
    /// what was corrected since.
    pub async fn new_files(
        &self,
        source: &str,
        folder: &Path,
        mut files: Vec<Offered>,
        received_at: DateTime<Utc>,
    ) -> Result<Option<Summary>> {
        self.refuse_the_lake_itself(&[folder])?;
        let run = self.finish_what_was_cut_off().await?;
        let mut names: BTreeSet<String> = files.iter().map(|f| f.name.clone()).collect();
        // Several may have one name once no child stands in it.
        let mut before: BTreeMap<String, Vec<ReceiptFile>> = BTreeMap::new();
        for n in (1..=run.arrivals).rev() {
            if names.is_empty() {
                break;
            }
            let receipt = landing::receipt(self.lake, n).await?;
            for file in receipt.files.into_iter().filter(|f| receipt.source == source && names.contains(&f.name)) {
                before.entry(file.name.clone()).or_default().push(file);
            }
            names.retain(|name| !before.contains_key(name));
        }
        // Nothing is copied of what is not taken: no receipt would name it, and it would lie in landing for ever.
        let mut is_new = Vec::with_capacity(files.len());
        for file in &files {
            let mut is_known = false;
            for before in before.get(&file.name).into_iter().flatten() {
                is_known |= before.is_the_file(&file.path)?;
            }
            is_new.push(!is_known);
        }
        let mut is_new = is_new.into_iter();
        files.retain(|_| is_new.next().unwrap_or(true));
        if files.is_empty() {
            return Ok(None);
        }
        let landed = self.land_all(source, files, trimmed(received_at)).await?;
        Ok(Some(self.received(run, source, landed, trimmed(received_at)).await?))
    }

    /// What lies below some paths, where there is anything.
    fn offered(&self, paths: &[PathBuf]) -> Result<Offer> {
        self.refuse_the_lake_itself(paths)?;
        let offer = offered(paths);
        if offer.files.is_empty() && offer.faults.is_empty() {
            bail!(
                "no file was found in {}",
                paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
            );
        }
        Ok(offer)
    }

    /// Copies files into landing, in order of name, and decodes marks on the way. They are received once a receipt
    /// names them.
    async fn land_all(&self, source: &str, files: Vec<Offered>, received_at: DateTime<Utc>) -> Result<Landed> {
        let total = files.len() as u64;
        let (shelf, held) = (Shelf::new().ok().map(Arc::new), Arc::new(AtomicUsize::new(0)));
        let land = |file| self.land(source, received_at, file, shelf.clone(), Arc::clone(&held));
        let landing = files.into_iter().map(land);
        let landing = landing.enumerate().map(|(i, file)| async move { Ok::<_, anyhow::Error>((i, file.await?)) });
        // More than cores: some wait for the disk. A large file keeps no others waiting.
        let mut landing = futures::stream::iter(landing).buffer_unordered(2 * self.config.cores());
        let (mut files, mut ahead) = (BTreeMap::new(), Ahead::new());
        while let Some(landed) = landing.next().await {
            let (i, (file, decoded)) = landed?;
            ahead.extend(decoded.map(|decoded| (decoded.return_id(), decoded)));
            files.insert(i, file);
            self.progress.step("landing", files.len() as u64, total);
        }
        // Paths may name a file of one name and content twice: it says the same.
        let mut names = HashSet::new();
        files.retain(|_, file| names.insert((file.name.clone(), file.sha256.clone())));
        Ok(Landed { files: files.into_values().collect(), ahead })
    }

    /// What a lake is made of is no return.
    fn refuse_the_lake_itself(&self, paths: &[impl AsRef<Path>]) -> Result<()> {
        let Some(lake) = self.lake.on_disk(&Default::default()).and_then(|root| root.canonicalize().ok()) else {
            return Ok(());
        };
        for path in paths.iter().map(AsRef::as_ref) {
            if path.canonicalize().is_ok_and(|p| lake.starts_with(&p) || p.starts_with(&lake)) {
                bail!("the lake itself lies in {}; name the files or the folder that schools sent", path.display());
            }
        }
        Ok(())
    }

    /// Gives landed files a receipt and takes them.
    async fn received(
        &self,
        run: RunRecord,
        source: &str,
        Landed { files, ahead }: Landed,
        received_at: DateTime<Utc>,
    ) -> Result<Summary> {
        let mut summary = Summary::default();
        let receipt = landing::give_receipt(self.lake, source, received_at, files).await?;
        tracing::debug!(arrival = receipt.n, "landed");
        // The disk takes what has landed while the ledger is made of it; whether it could is asked at the end.
        let lake = self.lake.clone();
        let settling = tokio::spawn(async move { lake.settle().await });
        if receipt.n != run.arrivals + 1 {
            bail!(
                "another process is taking in arrivals; arrival {} has landed, and `rollcall ingest` without files takes it",
                receipt.n
            );
        }
        let (staged, returns) = if run.known_at <= received_at {
            let staged = self.staged(run.clone()).await?;
            self.take(&staged, &receipt, Some(ahead), &mut summary).await.with_context(|| {
                format!("arrival {} has landed and is not taken yet; `rollcall ingest` takes it", receipt.n)
            })?
        } else {
            // It was received before others that are taken already: take those again, in order.
            summary.fitted_in_before = Some(run.known_at);
            self.rebuilt(receipt.n, |r| r.n == receipt.n, &mut summary).await?
        };
        summary.returns = returns.into_iter().filter(|(n, _)| *n == receipt.n).map(|(_, r)| r).collect();
        summary.arrivals += 1;
        settling.await??;
        summary.version = self.record(staged.run, &run).await?;
        Ok(summary)
    }

    /// Takes what has a receipt but is named by no run. Where another machine records it first, looks again: that one has
    /// got on.
    pub async fn finish_what_was_cut_off(&self) -> Result<RunRecord> {
        loop {
            match self.finish_once().await {
                Err(e) if matches!(e.downcast_ref(), Some(LakeError::Overtaken(_))) => {}
                finished => return finished,
            }
        }
    }

    async fn finish_once(&self) -> Result<RunRecord> {
        let run = RunRecord::newest(self.lake).await?;
        let arrivals = landing::arrivals(self.lake).await?;
        run.check_receipts(arrivals)?;
        let aside = landing::all_set_aside(self.lake).await?;
        let is_without = aside.range(..=run.arrivals).all(|n| run.without.contains(n));
        let mut summary = Summary::default();
        if arrivals != run.arrivals || !is_without {
            tracing::info!(arrivals = arrivals - run.arrivals, "finishing what was landed or set aside and not taken");
            let is_left = |r: &Receipt| run.arrivals < r.n || aside.contains(&r.n) && !run.without.contains(&r.n);
            let (staged, _) = self.rebuilt(arrivals, is_left, &mut summary).await?;
            self.record(staged.run, &run).await?;
        }
        Ok(RunRecord::newest(self.lake).await?)
    }

    /// Rebuilds the ledger from landing and records it as the next run: from the first arrival of a source that
    /// was received at or after a time, or from the very first.
    pub async fn replay(&self, source: Option<&str>, from: Option<DateTime<Utc>>) -> Result<Summary> {
        let run = RunRecord::newest(self.lake).await?;
        let arrivals = landing::verify(self.lake, false).await?;
        run.check_receipts(arrivals)?;
        let mut summary = Summary::default();
        let asked_for = |receipt: &Receipt| {
            source.is_none_or(|source| receipt.source == source) && from.is_none_or(|from| from <= receipt.received_at)
        };
        let (staged, returns) = self.rebuilt(arrivals, asked_for, &mut summary).await?;
        summary.arrivals = returns.iter().map(|(n, _)| n).collect::<BTreeSet<_>>().len() as u64;
        summary.returns = returns.into_iter().map(|(_, r)| r).collect();
        summary.version = self.record(staged.run, &run).await?;
        Ok(summary)
    }

    /// Passes an arrival over, whether or not it was taken, and records the ledger without it.
    pub async fn set_aside(&self, n: u64, reason: String, at: DateTime<Utc>) -> Result<Summary> {
        let run = RunRecord::newest(self.lake).await?;
        let arrivals = landing::arrivals(self.lake).await?;
        run.check_receipts(arrivals)?;
        if !(1..=arrivals).contains(&n) {
            bail!("there is no arrival {n}; there are {arrivals}, and `rollcall set-aside` lists the newest");
        }
        if landing::all_set_aside(self.lake).await?.contains(&n) && run.without.contains(&n) {
            bail!("arrival {n} is set aside already");
        }
        landing::set_aside(self.lake, &SetAside { n, reason, at }).await?;
        let mut summary = Summary::default();
        let (staged, _) = self.rebuilt(arrivals, |r| r.n == n || run.arrivals < r.n, &mut summary).await?;
        summary.version = self.record(staged.run, &run).await?;
        Ok(summary)
    }

    /// The ledger that the first `arrivals` make, in the order in which they were received. Those that are to be
    /// taken `again` are, and all that were received after the first of them; what stood before is what a run left.
    /// Those that are set aside are passed over.
    async fn rebuilt(
        &self,
        arrivals: u64,
        again: impl Fn(&Receipt) -> bool,
        summary: &mut Summary,
    ) -> Result<(Staged, Vec<(u64, Taken)>)> {
        let mut receipts = Vec::new();
        for n in 1..=arrivals {
            receipts.push(landing::receipt(self.lake, n).await?);
        }
        receipts.sort_by_key(|r| (r.received_at, r.n));
        let Some(first) = receipts.iter().position(again) else {
            // Only somebody who names a source or a time can ask for what is not there.
            let sources: BTreeSet<&str> = receipts.iter().map(|r| r.source.as_str()).collect();
            let sources: Vec<&str> = sources.into_iter().collect();
            bail!(
                "none of {arrivals} arrivals is of that source and time; there are arrivals of {}",
                if sources.is_empty() { "no source yet".to_owned() } else { sources.join(", ") }
            );
        };
        let aside = landing::all_set_aside(self.lake).await?;
        let base = self.standing_before(&receipts, first, &aside).await?;
        receipts.retain(|r| base.arrivals < r.n && !aside.contains(&r.n));
        let mut staged = self.staged(base).await?;
        let mut returns = Vec::new();
        for (i, receipt) in receipts.iter().enumerate() {
            landing::verify_files(self.lake, receipt).await?;
            let (next, taken) = self.take(&staged, receipt, None, summary).await.map_err(|error| {
                let Receipt { n, source, received_at, .. } = receipt;
                let which = format!("arrival {n} ({source}, received {received_at}) cannot be taken");
                match error.downcast_ref::<EngineError>().is_some_and(EngineError::is_of_definition) {
                    true => error.context(format!(
                        "{which}, and its files are not at fault: a definition in SQL is; `rollcall check` helps to find it, and \
                         once it is mended `rollcall ingest` goes on"
                    )),
                    false => error.context(format!(
                        "{which}; mend what stops it and run the same again; if it lies in the files and cannot be mended, \
                         `rollcall set-aside {n} --reason …` passes them over"
                    )),
                }
            })?;
            returns.extend(taken);
            staged = next;
            self.progress.step("arrivals", i as u64 + 1, receipts.len() as u64);
        }
        staged.run.arrivals = arrivals;
        staged.run.without = aside.range(..=arrivals).copied().collect();
        Ok((staged, returns))
    }

    /// The newest run that took nothing of `receipts` (in order of receipt) from place `first` on, and whatever
    /// was received before what it did not take. The empty ledger where there is none, or its files are gone.
    async fn standing_before(&self, receipts: &[Receipt], first: usize, aside: &BTreeSet<u64>) -> Result<RunRecord> {
        let least = receipts[first..].iter().map(|r| r.n).min().unwrap_or(u64::MAX);
        let there = self.lake.data_files().await?;
        for n in (1..=self.lake.highest(&lake::path::runs()).await?).rev() {
            let run = RunRecord::read(self.lake, n).await?;
            let is_before = |r: &Receipt| r.n <= run.arrivals || run.known_at <= r.received_at;
            let is_whole = || run.places().all(|place| there.contains(&place));
            let is_without = || aside.range(..=run.arrivals).all(|n| run.without.contains(n));
            if run.arrivals < least && is_without() && receipts.iter().all(is_before) && is_whole() {
                return Ok(run);
            }
        }
        Ok(RunRecord::default())
    }

    /// A ledger to merge into: what the run before holds, with its own counts begun anew.
    async fn staged(&self, run: RunRecord) -> Result<Staged> {
        let run = RunRecord { rows_in: 0, rows_kept: 0, rows_refused: 0, ..run };
        let former = engine::joined_keys::former_keys(self.lake, &run, i64::MAX).await?;
        Ok(Staged { run, roots: engine::joined_keys::roots(&former) })
    }

    /// One arrival, merged into a ledger: one that has just landed with what was decoded on the way, and with all
    /// figures kept, since more is not to follow at once.
    async fn take(
        &self,
        before: &Staged,
        receipt: &Receipt,
        landed_now: Option<Ahead>,
        summary: &mut Summary,
    ) -> Result<(Staged, Vec<(u64, Taken)>)> {
        let mut run = before.run.clone();
        run.arrivals = run.arrivals.max(receipt.n);
        run.known_at = run.known_at.max(receipt.received_at);
        let at = receipt.received_at.timestamp_micros();
        let taken_before = self.return_ids(&run, receipt).await?;
        let keeps_figures = landed_now.is_some();
        let ahead = landed_now.unwrap_or_default();
        let looked_at = self.look_at(receipt, &ahead).await?;
        let own: HashSet<i64> =
            receipt.files.iter().map(|file| files::number(receipt, file)).chain(taken_before.iter().copied()).collect();

        // What says who is where comes first: the rules on marks ask for it. Marks are decoded meanwhile.
        let (decoded, waves) = tokio::sync::mpsc::channel(1);
        let decoding = marks::decode(self, receipt, looked_at.marks, ahead, decoded);
        let merging = async {
            let mut small = self.decode_all(receipt, looked_at.small).await?;
            // An archive holds its files in any order.
            small.sort_by(|a, b| a.name.cmp(&b.name));
            let new = small.into_iter().filter(|d| !taken_before.contains(&d.return_id));
            // Marks that came in an archive or a workbook are decoded already.
            let (unpacked, small): (Vec<_>, Vec<_>) = new.partition(|d| d.kind == Some(Kind::Marks));
            let of_schools = |d: &Decoded| matches!(d.kind, Some(Kind::Schools | Kind::Links));
            let (schools, small): (Vec<_>, Vec<_>) = small.into_iter().partition(of_schools);
            let mut taken = tables::merge_schools(self, &mut run, schools, at).await?;
            let mut again = self.waiting_for_their_school(&before.run, &run, receipt, &own).await?;
            summary.taken_again += again.sources.len();
            // One arrival after another: rolls of one day that came together are one.
            let waiting = again.take(|file| file.kind != Some(Kind::Marks)).into_iter().map(|(_, files)| files);
            let (mut roots, mut joined) = (before.roots.clone(), Vec::new());
            let mut stated = problems::Stated::default();
            let mut groups: VecDeque<Vec<Decoded>> = waiting.filter(|files| !files.is_empty()).chain([small]).collect();
            let mut turns = rolls::Turns::default();
            while let Some(files) = groups.pop_front() {
                turns.more_follow = !groups.is_empty();
                let merged = tables::merge(self, &mut run, &roots, files, receipt, &mut turns).await?;
                roots = merged.roots;
                joined.extend(merged.joined);
                stated.rolls.extend(merged.rolls);
                stated.children.extend(merged.children);
                taken.extend(merged.taken);
            }
            tracing::debug!(arrival = receipt.n, "rolls and other small files merged");
            let mut staged = Staged { run, roots };
            let retold = retold::retold(self, &staged, receipt, &joined).await?;
            let decoded = marks::Decoding { again: again.arrivals, unpacked, waves };
            let registers = marks::merge(self, &mut staged, receipt, decoded, retold, &taken_before, summary).await?;
            taken.extend(registers.taken);
            stated.marks = registers.stated;
            anyhow::Ok((staged, taken, stated, again.sources))
        };
        let ((), (mut staged, mut taken, stated, again)) = futures::try_join!(decoding, merging)?;
        tracing::debug!(arrival = receipt.n, "marks merged");
        tables::judge_held(self, &staged.run, receipt, &mut taken).await?;
        let arrival = problems::Arrival { receipt, again: &again };
        problems::record(self, &mut staged.run, &arrival, &taken, &stated, &staged.roots).await?;
        // Every child of the arrival: figures need the room.
        drop(stated);
        tracing::debug!(arrival = receipt.n, "problems recorded");
        // No figure that is kept rests on returns: they are recorded meanwhile.
        let returns = [
            self.appending(&staged.run, Table::Return, problems::return_rows(&arrival, &taken)?),
            self.appending(&staged.run, Table::ReturnSchool, problems::return_school_rows(receipt, &taken)?),
        ];
        let moved = |table: Table| staged.run.table(table).files != before.run.table(table).files;
        // Days that pass raise and end alerts too, whatever has come.
        let day_after = before.run.known_at.date_naive() < receipt.received_at.date_naive();
        if day_after || self.library.rests_on("alerts.standing").into_iter().any(moved) {
            // After a first load others follow: its figures are worked out when somebody asks.
            let lines = |run: &RunRecord| -> u64 { run.table(Table::RegisterWeek).files.iter().map(|f| f.rows).sum() };
            let is_first_load = lines(&before.run) * 2 < lines(&staged.run);
            alerts::record(self, &before.run, &mut staged, receipt, keeps_figures && !is_first_load).await?;
            tracing::debug!(arrival = receipt.n, "alerts recorded");
        }
        for (table, appended) in [Table::Return, Table::ReturnSchool].into_iter().zip(returns) {
            staged.run.tables.insert(table.name().to_owned(), appended.await??);
        }
        for taken in &taken {
            let (rows_in, kept, refused) = taken.rows;
            assert_eq!(rows_in, kept + refused, "rows in = rows kept + rows refused");
            staged.run.rows_in += rows_in;
            staged.run.rows_kept += kept;
            staged.run.rows_refused += refused;
        }
        let returns = taken.into_iter().map(|t| (receipt.n, t)).collect();
        Ok((staged, returns))
    }

    /// Commits every table that changed and puts the run record: the one point at which it all exists.
    async fn record(&self, mut run: RunRecord, before: &RunRecord) -> Result<u64> {
        run.n = before.n + 1;
        let millis = run.known_at.timestamp_millis();
        let is_changed = |table: &Table| {
            let state = run.table(*table);
            state.files != before.table(*table).files || state.version.is_none() && !state.files.is_empty()
        };
        let commits = Table::ALL.into_iter().filter(is_changed).map(|table| {
            let (lake, state, before, n) = (self.lake.clone(), run.table(table), before.table(table), run.n);
            let target = Target {
                name: table.name(),
                root: lake::path::table(table),
                schema: table.schema(),
                partitions: table.partitions().to_vec(),
            };
            tokio::spawn(async move {
                let state = lake::delta::commit(&lake, &target, &before, state.files, n, millis).await?;
                crate::crash::point(table.name());
                Ok::<_, lake::LakeError>((table, state))
            })
        });
        for committed in futures::future::join_all(commits.collect::<Vec<_>>()).await {
            let (table, state) = committed??;
            run.tables.insert(table.name().to_owned(), state);
        }
        // What it names outlives a power cut, or it is not put.
        self.lake.settle().await?;
        crate::crash::point("before the run record");
        run.put(self.lake).await?;
        tracing::debug!(version = run.n, "committed");
        crate::crash::point("after the run record");
        self.lake.settle().await?;
        tracing::debug!(version = run.n, "settled");
        Ok(run.n)
    }

    async fn append(&self, run: &mut RunRecord, table: Table, rows: RecordBatch) -> Result<()> {
        let appended = self.appending(run, table, rows).await??;
        run.tables.insert(table.name().to_owned(), appended);
        Ok(())
    }

    /// Begins to append rows to a table, and says what it holds then.
    fn appending(
        &self,
        run: &RunRecord,
        table: Table,
        rows: RecordBatch,
    ) -> JoinHandle<Result<TableState, lake::LakeError>> {
        let partition = BTreeMap::from([("belief".to_owned(), lake::table::CURRENT.to_owned())]);
        let (lake, TableState { version, files }) = (self.lake.clone(), run.table(table));
        tokio::spawn(async move {
            let files = lake::append::append(&lake, table, partition, files, vec![rows], u64::MAX).await?;
            Ok(TableState { version, files })
        })
    }

    /// The returns of a receipt that a ledger holds. No other has their numbers: the instant is part of them.
    async fn return_ids(&self, run: &RunRecord, receipt: &Receipt) -> Result<HashSet<i64>> {
        let at = receipt.received_at.timestamp_micros();
        let mut files = run.table(Table::Return).files;
        files.retain(|f| f.known_from.is_none_or(|(least, greatest)| least <= at && at <= greatest));
        let ids = lake::parquet_file::read_columns(self.lake, Table::Return, files.iter(), &["return_id"]).await?;
        Ok(ids.column(0).as_primitive::<Int64Type>().values().iter().copied().collect())
    }

    /// A session over a ledger that no run names yet.
    async fn session(&self, run: &RunRecord, receipt: &Receipt) -> Result<engine::session::Session> {
        self.session_as_of(run, receipt, receipt.received_at.date_naive()).await
    }

    /// The same, of days up to one.
    async fn session_as_of(
        &self,
        run: &RunRecord,
        receipt: &Receipt,
        as_of: NaiveDate,
    ) -> Result<engine::session::Session> {
        Ok(self.engine.session(run, AsOf { as_of, known_at: receipt.received_at }).await?)
    }
}

/// Microseconds are what the ledger holds.
fn trimmed(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
