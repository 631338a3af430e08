//! Registers made of others: `register(marks, week_start)` of lines, `register_union(register)` of registers,
//! `opened(register)` of what any of them says of the school being open. Order does not matter: of two marks in
//! one box the letter that is greater stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BinaryViewBuilder};
use datafusion::arrow::compute::{cast, interleave};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::Result;
use datafusion::logical_expr::{AggregateUDF, EmitTo};
use model::{BLANK, SESSIONS_A_WEEK};

use super::aggregate::{Groups, Rows, aggregate};
use super::weeks::Weeks;
use crate::line_book::{BLANK_LINE, Line, LineBook, NumberedLines};
use crate::register::Register;

/// A register while it is gathered.
type Gathered = Weeks<Option<Line>>;

/// Lays a register's boxes over what is there.
fn lay_over(gathered: &mut Gathered, monday: i32, boxes: &[u8]) -> Result<()> {
    let weeks = gathered.from(monday, boxes.len().div_ceil(SESSIONS_A_WEEK))?;
    for (week, marks) in weeks.iter_mut().zip(boxes.chunks(SESSIONS_A_WEEK)) {
        greater_of(week.get_or_insert(BLANK_LINE), marks);
    }
    Ok(())
}

/// Lays the marks of a week over a line: of two in one box the letter that is greater stands.
pub(super) fn greater_of(line: &mut Line, marks: &[u8]) {
    let rank = |mark: u8| if mark == BLANK { 0 } else { mark };
    for (now, mark) in line.iter_mut().zip(marks) {
        if rank(*now) < rank(*mark) {
            *now = *mark;
        }
    }
}

/// `register`, `register_union` and `opened`, of which the last counts marks that open a session alone, as [`OPEN`].
pub(super) fn aggregates(book: &Arc<LineBook>) -> Vec<AggregateUDF> {
    let [of_lines, of_registers, of_openings] = std::array::from_fn(|_| Arc::clone(book));
    let (lines, registers) = (vec![DataType::Utf8, DataType::Date32], vec![DataType::BinaryView]);
    vec![
        aggregate("register", lines, DataType::BinaryView, move || Registers::of(&of_lines)),
        aggregate("register_union", registers.clone(), DataType::BinaryView, move || Registers::of(&of_registers)),
        aggregate("opened", registers, DataType::BinaryView, move || Openings::of(&of_openings)),
    ]
}

/// The mark of an open session in a calendar.
const OPEN: u8 = b'/';

/// Registers as they come in (views) or as they are exchanged (contiguous).
enum Given<'a> {
    Views(&'a BinaryViewArray),
    Exchanged(&'a BinaryArray),
}

impl<'a> Given<'a> {
    fn of(values: &'a ArrayRef) -> Self {
        match values.data_type() {
            DataType::Binary => Self::Exchanged(values.as_binary()),
            _ => Self::Views(values.as_binary_view()),
        }
    }

    fn register(&self, row: usize) -> Option<Register<'a>> {
        match self {
            Self::Views(views) => views.is_valid(row).then(|| Register::read(views.value(row)))?,
            Self::Exchanged(values) => values.is_valid(row).then(|| Register::read(values.value(row)))?,
        }
    }
}

/// Where a group's one register lies: which of the arrays given, and its row there.
type Place = (usize, usize);

/// Most groups have one register, which is given on as it is; the others are gathered.
struct Registers {
    book: Arc<LineBook>,
    arrays: Vec<ArrayRef>,
    first: Vec<Option<Place>>,
    gathered: BTreeMap<usize, Gathered>,
    /// Bytes of the registers that are given on as they are. What else lies in their buffers is not ours.
    given: usize,
}

impl Registers {
    fn of(book: &Arc<LineBook>) -> Self {
        Self { book: Arc::clone(book), arrays: Vec::new(), first: Vec::new(), gathered: BTreeMap::new(), given: 0 }
    }

    fn add_registers(&mut self, values: &ArrayRef, rows: Rows<'_>) -> Result<()> {
        let registers = Given::of(values);
        let known = self.book.read();
        let mut room = Vec::new();
        for (row, group) in rows.each() {
            let Some(register) = registers.register(row) else { continue };
            match (self.first[group], self.gathered.contains_key(&group)) {
                (None, false) => {
                    self.first[group] = Some((self.arrays.len(), row));
                    self.given += 4 * register.weeks();
                }
                (Some((array, row)), false) => {
                    let mut both = Gathered::default();
                    let before = Given::of(self.arrays.get(array).unwrap_or(values)).register(row);
                    for register in [before, Some(register)].into_iter().flatten() {
                        lay_over(&mut both, register.first_week, register.boxes(&known, &mut room))?;
                    }
                    self.first[group] = None;
                    self.gathered.insert(group, both);
                }
                (_, true) => {
                    let gathered = self.gathered.entry(group).or_default();
                    lay_over(gathered, register.first_week, register.boxes(&known, &mut room))?;
                }
            }
        }
        self.arrays.push(Arc::clone(values));
        Ok(())
    }

    fn take(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let firsts = emit.take_needed(&mut self.first);
        let later = self.gathered.split_off(&firsts.len());
        let taken =
            std::mem::replace(&mut self.gathered, later.into_iter().map(|(g, r)| (g - firsts.len(), r)).collect());
        // After the arrays given: one of those gathered here, and at its end a null.
        let mut made = BinaryViewBuilder::with_capacity(taken.len() + 1).with_fixed_block_size(256 * 1024);
        let mut places: Vec<Place> = firsts.iter().map(|p| p.unwrap_or((self.arrays.len(), taken.len()))).collect();
        for (nth, (group, register)) in taken.iter().enumerate() {
            let lines: Vec<Line> = register.each.iter().map(|line| line.unwrap_or(BLANK_LINE)).collect();
            made.try_append_value(self.book.register_of(register.first_week, &lines))?;
            places[*group] = (self.arrays.len(), nth);
        }
        made.append_null();
        let made: ArrayRef = Arc::new(made.finish());
        let made = match self.arrays.first() {
            Some(first) => cast(&made, first.data_type())?,
            None => made,
        };
        let arrays: Vec<&dyn Array> = self.arrays.iter().chain([&made]).map(AsRef::as_ref).collect();
        let out = interleave(&arrays, &places)?;
        if self.first.is_empty() {
            self.arrays.clear();
            self.given = 0;
        }
        Ok(out)
    }
}

impl Groups for Registers {
    fn grow(&mut self, groups: usize) {
        self.first.resize(groups, None);
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [marks, weeks] = values else { return self.add_registers(&values[0], rows) };
        let (marks, weeks) = (marks.as_string::<i32>(), weeks.as_primitive::<Date32Type>());
        for (row, group) in rows.each().filter(|(row, _)| marks.is_valid(*row) && weeks.is_valid(*row)) {
            let gathered = self.gathered.entry(group).or_default();
            lay_over(gathered, weeks.value(row), marks.value(row).as_bytes())?;
        }
        Ok(())
    }

    fn add_states(&mut self, states: &ArrayRef, rows: Rows<'_>) -> Result<()> {
        self.add_registers(states, rows)
    }

    fn states(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        Ok(cast(&self.take(taken)?, &DataType::Binary)?)
    }

    fn values(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        Ok(cast(&self.take(taken)?, &DataType::BinaryView)?)
    }

    fn size(&self) -> usize {
        let gathered: usize = self.gathered.values().map(Weeks::size).sum();
        self.given + gathered + self.first.capacity() * size_of::<Option<Place>>()
    }
}

/// Sessions that any register of the group opens: a mask of boxes a week.
struct Openings {
    book: Arc<LineBook>,
    groups: Vec<Weeks<u16>>,
}

impl Openings {
    fn of(book: &Arc<LineBook>) -> Self {
        Self { book: Arc::clone(book), groups: Vec::new() }
    }

    fn open(&mut self, values: &ArrayRef, rows: Rows<'_>, boxes_of: fn(&NumberedLines, u32) -> u16) -> Result<()> {
        let registers = Given::of(values);
        let known = self.book.read();
        for (row, group) in rows.each() {
            let Some(register) = registers.register(row) else { continue };
            let weeks = self.groups[group].from(register.first_week, register.weeks())?;
            weeks.iter_mut().zip(register.numbers()).for_each(|(week, number)| *week |= boxes_of(&known, number));
        }
        Ok(())
    }
}

impl Groups for Openings {
    fn grow(&mut self, groups: usize) {
        self.groups.resize(groups, Weeks::default());
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        self.open(&values[0], rows, NumberedLines::opened)
    }

    /// Every mark of what was gathered in parts says that a session was open.
    fn add_states(&mut self, states: &ArrayRef, rows: Rows<'_>) -> Result<()> {
        self.open(states, rows, NumberedLines::marked)
    }

    fn states(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        Ok(cast(&self.values(taken)?, &DataType::Binary)?)
    }

    fn values(&mut self, taken: EmitTo) -> Result<ArrayRef> {
        let mut out = BinaryViewBuilder::new();
        for group in taken.take_needed(&mut self.groups) {
            if group.each.iter().all(|boxes| *boxes == 0) {
                out.append_null();
                continue;
            }
            let open = |boxes: u16| std::array::from_fn(|at| if boxes >> at & 1 == 1 { OPEN } else { BLANK });
            let lines: Vec<Line> = group.each.iter().map(|boxes| open(*boxes)).collect();
            out.try_append_value(self.book.register_of(group.first_week, &lines))?;
        }
        Ok(Arc::new(out.finish()))
    }

    fn size(&self) -> usize {
        self.groups.iter().map(Weeks::size).sum()
    }
}

#[cfg(test)]
mod tests {
    use model::CodeTable;

    use super::*;

    fn book() -> Arc<LineBook> {
        let codes = CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        Arc::new(LineBook::of(&codes))
    }

    #[test]
    fn lines_in_any_order_make_one_register() {
        let mut forth = Gathered::default();
        let mut back = Gathered::default();
        let lines = [(0, b"/\\............"), (14, b"OO............"), (7, b"II............"), (7, b"O............\\")];
        for (week, line) in lines {
            lay_over(&mut forth, week, line).unwrap();
        }
        for (week, line) in lines.into_iter().rev() {
            lay_over(&mut back, week, line).unwrap();
        }
        assert_eq!((forth.first_week, &forth.each), (back.first_week, &back.each));
        assert_eq!(forth.each[1], Some(*b"OI...........\\"));
    }

    #[test]
    fn one_register_is_given_on_and_several_are_gathered() {
        let book = book();
        let value = |week: i32, lines: &[&[u8; 14]]| {
            book.register_of(week, &lines.iter().map(|line| **line).collect::<Vec<_>>())
        };
        let (a, b) = (value(0, &[b"/............."]), value(7, &[b"O............."]));
        let c = value(7, &[b".O............"]);
        let column = |values: &[&[u8]]| Arc::new(values.iter().map(Some).collect::<BinaryViewArray>()) as ArrayRef;
        let mut registers = Registers::of(&book);
        registers.grow(4);
        registers.add(&[column(&[&a, &b])], Rows::all(&[0, 2])).unwrap();
        registers.add(&[column(&[&c, &c])], Rows::all(&[2, 3])).unwrap();
        let first = registers.take(EmitTo::First(1)).unwrap();
        registers.add(&[column(&[&a])], Rows::all(&[1])).unwrap();
        let rest = registers.take(EmitTo::All).unwrap();
        assert_eq!(first.as_binary_view().value(0), a);
        let rest = rest.as_binary_view();
        assert!(rest.is_null(0));
        assert_eq!(rest.value(1), value(0, &[b"/.............", b"OO............"]));
        assert_eq!(rest.value(2), c);
    }

    #[test]
    fn sessions_that_anyone_opens() {
        let book = book();
        let value = |week: i32, line: &[u8; 14]| book.register_of(week, &[*line]);
        let (a, b, closed) = (value(0, b"/#IZ.........."), value(7, b".\\...........O"), value(0, b"##ZZ.........."));
        let column: ArrayRef = Arc::new([a, b, closed].iter().map(Some).collect::<BinaryViewArray>());
        let (mut apart, mut whole) = (Openings::of(&book), Openings::of(&book));
        apart.grow(3);
        apart.add(&[column], Rows::all(&[0, 1, 2])).unwrap();
        whole.grow(2);
        whole.add_states(&apart.states(EmitTo::All).unwrap(), Rows::all(&[0, 0, 1])).unwrap();
        let calendar = whole.values(EmitTo::All).unwrap();
        let calendar = calendar.as_binary_view();
        assert_eq!(calendar.value(0), book.register_of(0, &[*b"/./...........", *b"./.........../"]));
        assert!(calendar.is_null(1));
    }
}
