//! UPNs that have changed, as rolls tell of them: two keys become one child, for ever, so it is believed with care.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Array, AsArray, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{Date32Type, Int64Type};
use chrono::NaiveDate;
use lake::register::{Roots, root_of};
use lake::table::stamped;
use lake::{RunRecord, Table};
use model::Problem;
use sources::{Content, Decoded, Kind};

use super::Ingest;
use super::rolls::Stints;
use super::versions::state;

/// A key that was replaced, the key that replaced it, and the return that says so.
pub(super) type Joined = (i64, i64, i64);

/// The changed UPNs that rolls tell of, as far as the ledger does not know them. One that would make one child of two on
/// the same roll, or of two dates of birth, is not believed, nor are two that name one former UPN: two children would
/// become one, for ever. All UPNs that are known to be of the one and of the other are looked at.
pub(super) async fn changed_upns(
    ingest: &Ingest<'_>,
    run: &RunRecord,
    roots: &Roots,
    files: &mut [Decoded],
) -> Result<Vec<Joined>> {
    let known: HashSet<(i64, i64)> =
        engine::joined_keys::former_keys(ingest.lake, run, i64::MAX).await?.into_iter().collect();
    let mut claims: Vec<(usize, i64, i64)> = Vec::new();
    for (i, file) in files.iter().enumerate() {
        if let Content::Rows { former, .. } = &file.content {
            let new = former.iter().map(|(_, old, new)| (*old, *new)).filter(|pair| !known.contains(pair));
            claims.extend(new.map(|(old, new)| (i, old, new)));
        }
    }
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let mut children = Children::of(roots, claims.iter().flat_map(|(_, old, new)| [*old, *new]));
    let enrolments = run.table(Table::Enrolment);
    let held = enrolments.of_belief(lake::table::CURRENT);
    let names = ["urn", "pupil_key", "dob", "entry_date", "leaving_date", "missing_since", "return_id"];
    let held = lake::parquet_file::read_columns(ingest.lake, Table::Enrolment, held, &names).await?;
    children.born(&held)?;
    children.stood(&held)?;
    for file in files.iter().filter(|f| f.kind == Some(Kind::Roll)) {
        let Content::Rows { rows, snapshots, .. } = &file.content else { continue };
        children.born(rows)?;
        children.on_roll(rows, snapshots)?;
    }
    let mut named: HashMap<i64, BTreeSet<i64>> = HashMap::new();
    for (_, old, new) in &claims {
        named.entry(*old).or_default().insert(root_of(roots, *new));
    }
    let mut former = Vec::new();
    for (i, old, new) in claims {
        let file = &mut files[i];
        let of_another = "former_upn_of_another";
        let (rule, urn, found) = if 1 < named[&old].len() {
            (of_another, file.urn, "the former UPN is given for several pupils")
        } else if let Some(urn) = children.both_on_a_roll(old, new) {
            ("former_upn_on_roll", Some(urn), "the former UPN is that of another pupil on the roll")
        } else if children.are_two(old, new) {
            (of_another, file.urn, "the former UPN is of a pupil with another date of birth")
        } else {
            if children.have_stood_together(old, new) {
                let found = "both UPNs have stood on one roll".to_owned();
                let problem = Problem::of(&ingest.library.fields, "former_upn_stood_beside", found);
                file.problems.push(Problem { urn: file.urn, pupil_key: Some(new), rows: 1, ..problem });
            }
            children.join(old, new);
            former.push((old, new, file.return_id));
            continue;
        };
        let problem = Problem::of(&ingest.library.fields, rule, found.to_owned());
        file.problems.push(Problem { urn, pupil_key: Some(new), rows: 1, ..problem });
    }
    Ok(former)
}

/// What is known of the children of some keys.
struct Children {
    /// The child of each key, by its place.
    places: HashMap<i64, usize>,
    each: Vec<Child>,
}

#[derive(Default)]
struct Child {
    births: BTreeSet<i32>,
    /// School, day, first and last day of the stints that rolls state.
    stints: Vec<(i32, NaiveDate, i32, i32)>,
    /// The school, and the return, of which stints are known.
    rolls: BTreeSet<(i32, i64)>,
}

impl Children {
    fn of(roots: &Roots, keys: impl Iterator<Item = i64>) -> Self {
        let mut by_root: HashMap<i64, usize> = HashMap::new();
        let mut places: HashMap<i64, usize> = HashMap::new();
        for key in keys {
            let next = by_root.len();
            places.insert(key, *by_root.entry(root_of(roots, key)).or_insert(next));
        }
        // All that are known to be of one of them.
        places.extend(roots.iter().filter_map(|(key, root)| Some((*key, *by_root.get(root)?))));
        let each = by_root.iter().map(|_| Child::default()).collect();
        Self { places, each }
    }

    fn born(&mut self, rows: &RecordBatch) -> Result<()> {
        let schema = rows.schema();
        let of = rows.column(schema.index_of("pupil_key")?).as_primitive::<Int64Type>();
        let days = rows.column(schema.index_of("dob")?).as_primitive::<Date32Type>();
        for i in (0..rows.num_rows()).filter(|i| days.is_valid(*i)) {
            if let Some(place) = self.places.get(&of.value(i)) {
                self.each[*place].births.insert(days.value(i));
            }
        }
        Ok(())
    }

    fn on_roll(&mut self, rows: &RecordBatch, snapshots: &BTreeMap<i32, NaiveDate>) -> Result<()> {
        let of = Stints::of(rows)?;
        for i in 0..rows.num_rows() {
            let urn = of.urn.value(i);
            if let (Some(place), Some(day)) = (self.places.get(&of.key.value(i)), snapshots.get(&urn)) {
                self.each[*place].stints.push((urn, *day, of.entry.value(i), of.end(i).unwrap_or(i32::MAX)));
            }
        }
        Ok(())
    }

    fn stood(&mut self, held: &RecordBatch) -> Result<()> {
        let of = Stints::of(held)?;
        let returns = held.column(held.schema().index_of("return_id")?).as_primitive::<Int64Type>();
        for i in 0..held.num_rows() {
            if let Some(place) = self.places.get(&of.key.value(i)) {
                self.each[*place].rolls.insert((of.urn.value(i), returns.value(i)));
            }
        }
        Ok(())
    }

    /// Whether one roll has told of both.
    fn have_stood_together(&self, old: i64, new: i64) -> bool {
        self.two(old, new).is_some_and(|(old, new)| !old.rolls.is_disjoint(&new.rolls))
    }

    /// The children of two keys, where they are not one already.
    fn two(&self, old: i64, new: i64) -> Option<(&Child, &Child)> {
        let (old, new) = (*self.places.get(&old)?, *self.places.get(&new)?);
        (old != new).then(|| (&self.each[old], &self.each[new]))
    }

    /// The school on one roll of which both are at once.
    fn both_on_a_roll(&self, old: i64, new: i64) -> Option<i32> {
        let (old, new) = self.two(old, new)?;
        let meets = |(urn, day, entry, last): &&(i32, NaiveDate, i32, i32)| {
            new.stints.iter().any(|now| (now.0, now.1) == (*urn, *day) && now.2 < *last && *entry < now.3)
        };
        old.stints.iter().find(meets).map(|stint| stint.0)
    }

    /// Whether one date of birth is not known of both. Of one who was on no roll none is asked.
    fn are_two(&self, old: i64, new: i64) -> bool {
        self.two(old, new).is_some_and(|(old, new)| !old.births.is_empty() && old.births.is_disjoint(&new.births))
    }

    fn join(&mut self, old: i64, new: i64) {
        if let (Some(old), Some(new)) = (self.places.get(&old).copied(), self.places.get(&new).copied())
            && old != new
        {
            let Child { births, stints, rolls } = std::mem::take(&mut self.each[old]);
            self.each[new].births.extend(births);
            self.each[new].stints.extend(stints);
            self.each[new].rolls.extend(rolls);
            self.places.values_mut().filter(|place| **place == old).for_each(|place| *place = new);
        }
    }
}

/// Adds changed UPNs that were not known before to the identity table, each once; says which.
pub(super) async fn join(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    roots: &Roots,
    former: Vec<Joined>,
    at: i64,
) -> Result<(Roots, Vec<Joined>)> {
    let mut seen = HashSet::new();
    let joined: Vec<_> = former.into_iter().filter(|(old, new, _)| seen.insert((*old, *new))).collect();
    if joined.is_empty() {
        return Ok((roots.clone(), joined));
    }
    let schema = Table::Identity.schema();
    let rows = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int64Array::from_iter_values(joined.iter().map(|j| j.0))),
            Arc::new(Int64Array::from_iter_values(joined.iter().map(|j| j.1))),
            stamped(at, joined.len()),
            new_null_array(schema.field(3).data_type(), joined.len()),
            Arc::new(Int64Array::from_iter_values(joined.iter().map(|j| j.2))),
        ],
    )?;
    state(ingest, run, Table::Identity, rows, None, &[], at).await?;
    let former = engine::joined_keys::former_keys(ingest.lake, run, i64::MAX).await?;
    Ok((engine::joined_keys::roots(&former), joined))
}
