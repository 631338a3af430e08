//! The rolls that have been taken: of which day of which school each is and, where an older one comes after them, what
//! they said.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::DateTime;
use lake::landing;
use lake::register::Roots;
use lake::{RunRecord, Table};
use sources::{Decoded, Kind};

use super::RollFile;
use crate::ingest::Ingest;

/// The day of which a roll is, when it came, and its return.
type Told = (i32, i64, i64);

/// The rolls that a ledger rests on, by school, and those it refused whole.
#[derive(Default)]
pub(super) struct HeldRolls {
    of_school: HashMap<i32, BTreeSet<Told>>,
    /// By when they came: the school that each was of, where it says so.
    refused: HashMap<i64, Vec<Option<i32>>>,
}

impl HeldRolls {
    pub async fn of(ingest: &Ingest<'_>, run: &RunRecord) -> Result<Self> {
        let mut held = Self::default();
        // What a return of several schools says of each does not say when it came.
        let mut came: HashMap<i64, i64> = HashMap::new();
        for table in [Table::Return, Table::ReturnSchool] {
            let files = run.table(table).files;
            let names: &[&str] = match table {
                Table::Return => &["kind", "urn", "last_day", "return_id", "status", "received_at"],
                _ => &["kind", "urn", "last_day", "return_id"],
            };
            let rows = lake::parquet_file::read_columns(ingest.lake, table, files.iter(), names).await?;
            let column = |name: &str| rows.schema().index_of(name).map(|at| rows.column(at));
            let (kinds, urns) = (column("kind")?.as_string::<i32>(), column("urn")?.as_primitive::<Int32Type>());
            let days = column("last_day")?.as_primitive::<Date32Type>();
            let ids = column("return_id")?.as_primitive::<Int64Type>();
            let of_return = match table {
                Table::Return => Some((
                    column("status")?.as_string::<i32>(),
                    column("received_at")?.as_primitive::<TimestampMicrosecondType>(),
                )),
                _ => None,
            };
            for row in (0..rows.num_rows()).filter(|row| kinds.value(*row) == Kind::Roll.name()) {
                let urn = urns.is_valid(row).then(|| urns.value(row));
                if let Some((statuses, received)) = of_return {
                    if statuses.value(row) != "taken" {
                        held.refused.entry(received.value(row)).or_default().push(urn);
                        continue;
                    }
                    came.insert(ids.value(row), received.value(row));
                }
                if let (Some(urn), Some(at), true) = (urn, came.get(&ids.value(row)), days.is_valid(row)) {
                    held.of_school.entry(urn).or_default().insert((days.value(row), *at, ids.value(row)));
                }
            }
        }
        Ok(held)
    }

    /// Whether a roll of a later day is held of a school.
    pub fn has_later(&self, urn: i32, day: i32) -> bool {
        self.of_school.get(&urn).and_then(BTreeSet::last).is_some_and(|(last, ..)| day < *last)
    }

    /// Reads what all rolls of these schools say again, from landing.
    pub async fn read_again(
        &self,
        ingest: &Ingest<'_>,
        run: &RunRecord,
        roots: &Roots,
        urns: &[i32],
    ) -> Result<Vec<RollFile>> {
        // Of which schools each return was taken, and which came when.
        let (mut schools, mut unfound) = (HashMap::<i64, HashSet<i32>>::new(), BTreeMap::<i64, HashSet<i64>>::new());
        for (_, came, id) in urns.iter().filter_map(|urn| self.of_school.get(urn)).flatten() {
            unfound.entry(*came).or_default().insert(*id);
            schools.entry(*id).or_default();
        }
        for (urn, told) in &self.of_school {
            for (.., id) in told {
                if let Some(schools) = schools.get_mut(id) {
                    schools.insert(*urn);
                }
            }
        }
        let mut receipts = Vec::new();
        for n in 1..=landing::arrivals(ingest.lake).await? {
            receipts.push(landing::receipt(ingest.lake, n).await?);
        }
        // Taken with one arrival they stand in the order in which they came.
        receipts.sort_by_key(|receipt| (receipt.received_at, receipt.n));
        let mut files = Vec::new();
        // A roll that waited for its school came with an earlier arrival than it was taken with.
        for is_of_its_arrival in [true, false] {
            for (came, wanted) in &mut unfound {
                let at = DateTime::from_timestamp_micros(*came).unwrap_or_default();
                for (nth, receipt) in receipts.iter().enumerate() {
                    let may_be = if is_of_its_arrival { receipt.received_at == at } else { receipt.received_at < at };
                    if !may_be || wanted.is_empty() {
                        continue;
                    }
                    for mut decoded in ingest.decode_again(run, receipt, wanted, (at, at)).await? {
                        wanted.remove(&decoded.return_id);
                        let taken_of = &schools[&decoded.return_id];
                        let unknown: Vec<_> = decoded.schools().into_iter().filter_map(|of| of.urn).collect();
                        for urn in unknown.into_iter().filter(|urn| !taken_of.contains(urn)) {
                            decoded.refuse_rows_of(Some(urn));
                        }
                        // Of a file of all schools so many children would wait for each of its days.
                        decoded.keep_only(urns);
                        files.push(self.roll_file(decoded, roots, (*came, nth)));
                    }
                }
            }
        }
        if unfound.values().any(|wanted| !wanted.is_empty()) {
            bail!("a roll that was taken is not in landing; `rollcall doctor` says what else is missing");
        }
        Ok(files)
    }

    fn roll_file(&self, decoded: Decoded, roots: &Roots, came: (i64, usize)) -> RollFile {
        let mut file = RollFile::of(decoded.return_id, decoded.content, roots, came, None);
        self.refused.get(&came.0).into_iter().flatten().for_each(|urn| file.unread.add(*urn, None));
        file
    }
}
