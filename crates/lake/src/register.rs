//! Merging a run's statements into the register ledger, school by school: what is believed of a school's weeks after
//! a return, and which versions that closes. [`month`] reads and writes the files.

pub mod month;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use model::{BLANK, Line, PupilKey, SESSIONS_A_WEEK, Urn};

/// A box of a statement that says nothing about its session.
pub const UNSTATED: u8 = 0;
/// A box whose row was refused: what was believed stands.
pub const REFUSED: u8 = 1;
/// A box of a whole register that has no row for its session: no mark is held, and one that was is withdrawn.
pub const UNSENT: u8 = 2;

/// Whether a box says what is to be believed of its session.
pub fn says(stated: u8) -> bool {
    !matches!(stated, UNSTATED | REFUSED)
}

/// What a run says about one pupil's week: a box holds a letter, [`BLANK`] (no mark is held),
/// [`UNSENT`], [`REFUSED`] or [`UNSTATED`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stated {
    /// The key under which it came.
    pub pupil_key: PupilKey,
    /// The week's Monday, days from the epoch.
    pub week: i32,
    /// The boxes.
    pub boxes: Line,
    /// The return that says so.
    pub return_id: i64,
}

/// Without the child.
impl fmt::Debug for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stated").field("week", &self.week).field("boxes", &self.boxes).finish_non_exhaustive()
    }
}

impl Stated {
    /// What one file says of one child under this key and another: a mark stands before a blank, a blank before a refused
    /// row, that before a missing one.
    fn joined_with(&self, other: &Self) -> Self {
        let mut boxes = other.boxes;
        for (now, said) in boxes.iter_mut().zip(self.boxes) {
            let weight = |said: u8| match said {
                UNSTATED => 0,
                UNSENT => 1,
                REFUSED => 2,
                BLANK => 3,
                _ => 4,
            };
            *now = if weight(*now) < weight(said) { said } else { *now };
        }
        Self { boxes, ..*other }
    }
}

/// Which keys are one child: a key to the root of its chain. Keys that were never joined are absent.
pub type Roots = HashMap<PupilKey, PupilKey>;

/// One key of the child who has a key.
pub fn root_of(roots: &Roots, key: PupilKey) -> PupilKey {
    roots.get(&key).copied().unwrap_or(key)
}

/// What is said of each child of several keys in each week, by the root of its keys: of two
/// marks that of a key that replaced another.
pub fn by_child(stated: &[Stated], roots: &Roots) -> BTreeMap<(PupilKey, i32), Stated> {
    let mut of_child: BTreeMap<(PupilKey, i32), Stated> = BTreeMap::new();
    let joined = stated.iter().filter_map(|line| Some((*roots.get(&line.pupil_key)?, line)));
    let (first, newer): (Vec<_>, Vec<_>) = joined.partition(|(root, line)| *root == line.pupil_key);
    for (root, line) in first.into_iter().chain(newer) {
        let child = of_child.entry((root, line.week));
        child.and_modify(|said| *said = said.joined_with(line)).or_insert(*line);
    }
    of_child
}

/// How many lines a run opened and closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Versions opened.
    pub opened: u64,
    /// Versions closed.
    pub closed: u64,
}

/// Marks that were believed of a school, and of which a register has no row or a blank one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Withdrawn {
    /// The school.
    pub urn: Urn,
    /// The return.
    pub return_id: i64,
    /// The child of the first of them.
    pub pupil_key: PupilKey,
    /// Its week, and its box in it.
    pub first: (i32, usize),
    /// How many they are.
    pub sessions: u64,
    /// Of them, those with a blank row.
    pub blank: u64,
}

#[derive(Clone, Copy)]
struct Held {
    pupil_key: i64,
    week: i32,
    marks: Line,
    known_from: i64,
    return_id: i64,
}

struct MergedLines {
    /// All believed lines of the school and month, in order.
    open: Vec<Held>,
    closed: Vec<Held>,
    opened: u64,
    /// Statements without a row for a session of which a mark was believed, or with a blank one, and its place.
    withdrawn: Vec<(Stated, usize)>,
}

/// What is believed of one school's month after `stated`.
fn merge_lines(held: &[Held], stated: &[Stated], roots: &Roots, at_micros: i64) -> MergedLines {
    let mut merged =
        MergedLines { open: Vec::with_capacity(held.len()), closed: Vec::new(), opened: 0, withdrawn: Vec::new() };
    let joined = |key: i64| !roots.is_empty() && roots.contains_key(&key);
    // Lines of children with one key meet in order; those of children with several by their root.
    let mut by_root: BTreeMap<(i64, i32), Vec<Held>> = BTreeMap::new();
    let mut i = 0;
    let mut disordered = false;
    for line in stated {
        if joined(line.pupil_key) {
            continue;
        }
        while i < held.len() && (held[i].pupil_key, held[i].week) < (line.pupil_key, line.week) {
            keep(&held[i], roots, &mut merged.open, &mut by_root);
            i += 1;
        }
        let same = i < held.len() && (held[i].pupil_key, held[i].week) == (line.pupil_key, line.week);
        let before = same.then(|| held[i]);
        i += usize::from(same);
        change(before.as_slice(), line, at_micros, &mut merged);
    }
    for line in &held[i..] {
        keep(line, roots, &mut merged.open, &mut by_root);
    }
    for (root, line) in by_child(stated, roots) {
        let before = by_root.remove(&root).unwrap_or_default();
        change(&before, &line, at_micros, &mut merged);
        disordered = true;
    }
    for line in by_root.into_values().flatten() {
        merged.open.push(line);
        disordered = true;
    }
    if disordered {
        merged.open.sort_by_key(|l| (l.pupil_key, l.week));
    }
    merged
}

fn keep(line: &Held, roots: &Roots, open: &mut Vec<Held>, by_root: &mut BTreeMap<(i64, i32), Vec<Held>>) {
    match roots.get(&line.pupil_key) {
        Some(root) => by_root.entry((*root, line.week)).or_default().push(*line),
        None => open.push(*line),
    }
}

/// One statement against the versions believed of its child and week: usually none or one; several
/// where two keys have just turned out to be one child.
fn change(before: &[Held], stated: &Stated, at_micros: i64, merged: &mut MergedLines) {
    let mut believed = [BLANK; SESSIONS_A_WEEK];
    let mut in_order = before.to_vec();
    in_order.sort_by_key(|l| (l.known_from, l.pupil_key));
    for line in &in_order {
        for (now, mark) in believed.iter_mut().zip(line.marks) {
            if mark != BLANK {
                *now = mark;
            }
        }
    }
    let mut marks = believed;
    for (place, (now, said)) in marks.iter_mut().zip(stated.boxes).enumerate() {
        match said {
            UNSTATED | REFUSED => {}
            UNSENT | BLANK => {
                if *now != BLANK {
                    merged.withdrawn.push((*stated, place));
                }
                *now = BLANK;
            }
            said => *now = said,
        }
    }
    match before {
        [] if marks == [BLANK; SESSIONS_A_WEEK] => return,
        [one] if one.marks == marks => {
            merged.open.push(*one);
            return;
        }
        _ => {}
    }
    // A version that was believed for no time at all is replaced, not closed.
    merged.closed.extend(before.iter().filter(|l| l.known_from < at_micros));
    merged.opened += 1;
    merged.open.push(Held {
        pupil_key: stated.pupil_key,
        week: stated.week,
        marks,
        known_from: at_micros,
        return_id: stated.return_id,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        text.replace(' ', "\0").as_bytes().try_into().unwrap()
    }

    fn held(pupil_key: i64, marks: &str, known_from: i64) -> Held {
        Held { pupil_key, week: 0, marks: line(marks), known_from, return_id: 1 }
    }

    fn stated(pupil_key: i64, boxes: &str) -> Stated {
        Stated { pupil_key, week: 0, boxes: line(boxes), return_id: 2 }
    }

    fn shown(lines: &[Held]) -> Vec<(i64, String, i64)> {
        lines.iter().map(|l| (l.pupil_key, String::from_utf8_lossy(&l.marks).into_owned(), l.known_from)).collect()
    }

    #[test]
    fn what_is_not_stated_stands_and_what_is_withdrawn_is_blank() {
        let merged = merge_lines(
            &[held(1, "/\\NN..........", 5), held(2, "/\\............", 5)],
            &[stated(1, "  I.          ")],
            &Roots::new(),
            9,
        );
        assert_eq!(shown(&merged.open), [(1, "/\\I...........".to_owned(), 9), (2, "/\\............".to_owned(), 5)]);
        assert_eq!(shown(&merged.closed), [(1, "/\\NN..........".to_owned(), 5)]);
    }

    #[test]
    fn the_same_again_and_nothing_at_all_change_nothing() {
        let merged = merge_lines(
            &[held(1, "/\\............", 5)],
            &[stated(1, "/\\            "), stated(3, "..............")],
            &Roots::new(),
            9,
        );
        assert_eq!((merged.open.len(), merged.closed.len(), merged.opened), (1, 0, 0));
    }

    #[test]
    fn old_weeks_restated_under_a_new_upn_change_nothing() {
        let roots = Roots::from([(1, 1), (7, 1)]);
        let merged = merge_lines(&[held(1, "/\\............", 5)], &[stated(7, "/\\            ")], &roots, 9);
        assert_eq!(shown(&merged.open), [(1, "/\\............".to_owned(), 5)]);
        let merged = merge_lines(&[held(1, "/\\............", 5)], &[stated(7, "/I            ")], &roots, 9);
        assert_eq!(shown(&merged.open), [(7, "/I............".to_owned(), 9)]);
        assert_eq!(merged.closed.len(), 1);
    }

    #[test]
    fn a_child_under_two_keys_of_one_file_says_all_that_both_say() {
        let roots = Roots::from([(1, 1), (7, 1)]);
        let believed = [held(1, "O\\O...........", 5)];
        // Under the old key the third session was refused, under the new one it has no row.
        let unsent = |boxes: &str| boxes.replace('_', "\u{2}").replace('!', "\u{1}");
        let said = [stated(1, &unsent("O\\!___________")), stated(7, &unsent("____OO________"))];
        let merged = merge_lines(&believed, &said, &roots, 9);
        assert_eq!(shown(&merged.open), [(7, "O\\O.OO........".to_owned(), 9)]);
        assert_eq!(merged.closed.len(), 1);
    }

    #[test]
    fn two_keys_that_turn_out_to_be_one_child_become_one_line() {
        let roots = Roots::from([(1, 1), (7, 1)]);
        let both = [held(1, "/\\............", 5), held(7, "..//..........", 6)];
        let merged = merge_lines(&both, &[stated(7, "              ")], &roots, 9);
        assert_eq!(shown(&merged.open), [(7, "/\\//..........".to_owned(), 9)]);
        assert_eq!(merged.closed.len(), 2);
    }
}
