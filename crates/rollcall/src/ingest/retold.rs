//! Children whose UPN turns out, after marks came under both, to have changed: what returns said under either key is
//! laid over in the order in which it came, as it would have been had the change been known all along.
//!
//! A line does not hold which of its blanks a return said, and a mark of the old key that a return under the new one
//! has no row for is withdrawn. So the few returns that may say so are read again from landing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use engine::session::Session;
use lake::landing::{self, Receipt};
use lake::register::{Stated, UNSTATED, by_child, says};
use model::{Line, SESSIONS_A_WEEK};
use sources::{Content, Decoded};

use super::changed_upns::Joined;
use super::marks::{School, Waiting, judge};
use super::{Ingest, Staged};

/// What is to be stated anew of each school, in order of (pupil_key, week), under the newest key of each child.
pub(super) async fn retold(
    ingest: &Ingest<'_>,
    staged: &Staged,
    receipt: &Receipt,
    joined: &[Joined],
) -> Result<BTreeMap<i32, Vec<Stated>>> {
    let newest: HashMap<i64, (i64, i64)> =
        joined.iter().filter_map(|(_, now, return_id)| Some((*staged.roots.get(now)?, (*now, *return_id)))).collect();
    let mut retold: BTreeMap<i32, Vec<Stated>> = BTreeMap::new();
    if newest.is_empty() {
        return Ok(retold);
    }
    let session = ingest.session(&staged.run, receipt).await?;
    let lines = Lines::of(&session, staged, &newest).await?;
    let returns = Returns::of(&session, lines.since.keys().map(|(urn, _)| *urn).collect()).await?;
    let weeks = lines.retelling(&returns);
    let said = said(ingest, staged, &weeks, &returns).await?;
    for (urn, children) in weeks {
        let lines = retold.entry(urn).or_default();
        for (root, week) in children {
            let boxes = said.get(&(urn, root, week)).copied().unwrap_or([UNSTATED; SESSIONS_A_WEEK]);
            let (pupil_key, return_id) = newest[&root];
            lines.push(Stated { pupil_key, week, boxes, return_id });
        }
        lines.sort();
    }
    Ok(retold)
}

/// Weeks of children, by their root, school by school.
type Weeks = BTreeMap<i32, BTreeSet<(i64, i32)>>;

/// The lines of children of several keys at one school.
struct Lines {
    /// Since when each key of a child has lines at a school.
    since: BTreeMap<(i32, i64), BTreeMap<i64, i64>>,
    /// The keys with a believed line of a week.
    believed: BTreeMap<(i32, i64, i32), BTreeSet<i64>>,
}

impl Lines {
    async fn of(session: &Session, staged: &Staged, newest: &HashMap<i64, (i64, i64)>) -> Result<Self> {
        let mut found = Self { since: BTreeMap::new(), believed: BTreeMap::new() };
        let keys = staged.roots.iter().filter(|(_, root)| newest.contains_key(root)).map(|(key, _)| *key);
        // As a table: what stands in a statement is logged.
        let schema = Schema::new(vec![Field::new("joined", DataType::Int64, false)]);
        let keys = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from_iter_values(keys))])?;
        session.put_rows("incoming", "joined_key", keys)?;
        let sql = "SELECT urn, pupil_key, week_start, known_from, known_to \
                   FROM incoming.joined_key JOIN history.register_week ON pupil_key = joined";
        for batch in session.rows(sql).await? {
            let (urns, keys) =
                (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int64Type>());
            let weeks = batch.column(2).as_primitive::<Date32Type>();
            let known_from = batch.column(3).as_primitive::<TimestampMicrosecondType>();
            for i in 0..batch.num_rows() {
                let (urn, key, from) = (urns.value(i), keys.value(i), known_from.value(i));
                let Some(root) = staged.roots.get(&key) else { continue };
                let since = found.since.entry((urn, *root)).or_default().entry(key).or_insert(from);
                *since = from.min(*since);
                if batch.column(4).is_null(i) {
                    found.believed.entry((urn, *root, weeks.value(i))).or_default().insert(key);
                }
            }
        }
        found.since.retain(|_, keys| 1 < keys.len());
        Ok(found)
    }

    /// Weeks with lines of several keys, and those of which a return that came after a later key was first met may
    /// have withdrawn what an earlier one holds.
    fn retelling(self, returns: &Returns) -> Weeks {
        let mut weeks = Weeks::new();
        for ((urn, root, week), keys) in self.believed {
            let Some(since) = self.since.get(&(urn, root)) else { continue };
            let first = keys.iter().filter_map(|key| since.get(key)).min();
            let later = since.values().filter(|at| first < Some(at)).min();
            let is_restated =
                || returns.of_school(urn).any(|r| later.is_some_and(|at| *at <= r.received_at) && r.covers(week));
            if 1 < keys.len() || is_restated() {
                weeks.entry(urn).or_default().insert((root, week));
            }
        }
        weeks
    }
}

/// A return of marks that was taken, and what it says of a school.
struct Return {
    id: i64,
    received_at: i64,
    days: (i32, i32),
}

impl Return {
    fn covers(&self, week: i32) -> bool {
        self.days.0 <= week + 6 && week <= self.days.1
    }
}

/// By school.
struct Returns(BTreeMap<i32, Vec<Return>>);

impl Returns {
    async fn of(session: &Session, urns: BTreeSet<i32>) -> Result<Self> {
        let mut found: BTreeMap<i32, Vec<Return>> = BTreeMap::new();
        let urns: Vec<String> = urns.iter().map(i32::to_string).collect();
        if urns.is_empty() {
            return Ok(Self(found));
        }
        let sql = format!(
            "SELECT urn, return_id, received_at, first_day, last_day FROM tables.return_school
             WHERE kind = 'marks' AND 0 < rows_kept AND first_day IS NOT NULL AND urn IN ({})",
            urns.join(", ")
        );
        for batch in session.rows(&sql).await? {
            let (urns, first, last) = (
                batch.column(0).as_primitive::<Int32Type>(),
                batch.column(3).as_primitive::<Date32Type>(),
                batch.column(4).as_primitive::<Date32Type>(),
            );
            let ids = batch.column(1).as_primitive::<Int64Type>();
            let at = batch.column(2).as_primitive::<TimestampMicrosecondType>();
            for i in 0..batch.num_rows() {
                let days = (first.value(i), last.value(i));
                found.entry(urns.value(i)).or_default().push(Return {
                    id: ids.value(i),
                    received_at: at.value(i),
                    days,
                });
            }
        }
        Ok(Self(found))
    }

    fn of_school(&self, urn: i32) -> impl Iterator<Item = &Return> {
        self.0.get(&urn).into_iter().flatten()
    }
}

/// What all returns taken so far say of these weeks, the last word on each session.
async fn said(
    ingest: &Ingest<'_>,
    staged: &Staged,
    weeks: &Weeks,
    returns: &Returns,
) -> Result<BTreeMap<(i32, i64, i32), Line>> {
    let (mut wanted, mut instants): (HashSet<i64>, BTreeSet<i64>) = Default::default();
    for (urn, children) in weeks {
        for found in returns.of_school(*urn).filter(|r| children.iter().any(|(_, week)| r.covers(*week))) {
            wanted.insert(found.id);
            instants.insert(found.received_at);
        }
    }
    let mut receipts = Vec::new();
    if !wanted.is_empty() {
        for n in 1..=landing::arrivals(ingest.lake).await? {
            let receipt = landing::receipt(ingest.lake, n).await?;
            if instants.contains(&receipt.received_at.timestamp_micros()) {
                receipts.push(receipt);
            }
        }
    }
    receipts.sort_by_key(|r| (r.received_at, r.n));
    let mut said: BTreeMap<(i32, i64, i32), Line> = BTreeMap::new();
    for receipt in receipts {
        let mut schools: BTreeMap<i32, School> = BTreeMap::new();
        let files =
            ingest.decode_again(&staged.run, &receipt, &wanted, (receipt.received_at, receipt.received_at)).await?;
        // What a rule took out when it came says nothing now either.
        let session = Arc::new(ingest.session(&staged.run, &receipt).await?);
        let files = judge(ingest, &session, &receipt, files).await?;
        for Decoded { return_id, name, content, .. } in files {
            let Content::Marks(grids) = content else { continue };
            for grid in grids.into_iter().filter(|grid| weeks.contains_key(&grid.urn)) {
                let empty = || School { urn: grid.urn, lines: Vec::new(), files: Vec::new() };
                let school = schools.entry(grid.urn).or_insert_with(empty);
                school.files.push(Waiting { arrival: 0, name: name.clone(), return_id, grid });
            }
        }
        for (urn, mut school) in schools {
            school.files.sort_by(|a, b| a.name.cmp(&b.name));
            let children = &weeks[&urn];
            let mondays = children.iter().map(|(_, week)| *week).collect();
            let stated = school.stated(&mondays, &staged.roots, &mut Vec::new());
            let now = by_child(&stated, &staged.roots);
            for ((root, week), line) in now.into_iter().filter(|(child, _)| children.contains(child)) {
                let boxes = said.entry((urn, root, week)).or_insert([UNSTATED; SESSIONS_A_WEEK]);
                for (now, stated) in boxes.iter_mut().zip(line.boxes).filter(|(_, said)| says(*said)) {
                    *now = stated;
                }
            }
        }
    }
    Ok(said)
}
