//! Registers made of others: `register(marks, week_start)` of lines, `register_union(register)` of registers,
//! `opened(register)` of what any of them says of the school being open. Order does not matter: of two marks in
//! one box the letter that is greater stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BinaryViewBuilder, BooleanArray,
};
use datafusion::arrow::compute::{cast, interleave};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, FieldRef};
use datafusion::common::{Result, exec_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use model::{BLANK, CodeTable, SESSIONS_A_WEEK};

use super::counts;
use super::register::Register;
use crate::registers::MOST_WEEKS;

/// A register while it is gathered: the Monday of its first week, and a line a week.
#[derive(Clone, Default)]
struct Gathered {
    first_week: i32,
    lines: Vec<u8>,
}

impl Gathered {
    /// Makes room for boxes from a Monday on, and says where they begin.
    fn room(&mut self, week: i32, boxes: usize) -> Result<usize> {
        if boxes == 0 {
            return Ok(self.lines.len());
        }
        if self.lines.is_empty() {
            self.first_week = week;
        }
        let most = MOST_WEEKS as usize * SESSIONS_A_WEEK;
        let before = (i64::from(self.first_week) - i64::from(week)).max(0) as usize / 7 * SESSIONS_A_WEEK;
        let at = (i64::from(week) - i64::from(self.first_week)).max(0) as usize / 7 * SESSIONS_A_WEEK;
        let end = at + boxes.next_multiple_of(SESSIONS_A_WEEK);
        if most < before + self.lines.len() || most < end {
            return exec_err!("a register of more than {MOST_WEEKS} weeks");
        }
        if 0 < before {
            self.lines.splice(0..0, std::iter::repeat_n(BLANK, before));
            self.first_week = week;
        }
        if self.lines.len() < end {
            self.lines.resize(end, BLANK);
        }
        Ok(at)
    }

    /// Lays marks over what is there.
    fn add(&mut self, week: i32, marks: &[u8]) -> Result<()> {
        let at = self.room(week, marks.len())?;
        for (now, mark) in self.lines[at..].iter_mut().zip(marks) {
            let rank = |b: u8| if b == BLANK { 0 } else { b };
            if rank(*now) < rank(*mark) {
                *now = *mark;
            }
        }
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = self.first_week.to_le_bytes().to_vec();
        out.extend_from_slice(&self.lines);
        out
    }
}

/// `register`, `register_union` and `opened`.
pub fn aggregates(codes: &CodeTable) -> Vec<AggregateUDF> {
    let of = |name, takes, opening| {
        AggregateUDF::from(Union { name, opening, signature: Signature::exact(takes, Volatility::Immutable) })
    };
    let mut opening = codes.set("opening").unwrap_or([false; 128]);
    // Openings gathered in parts are put together again.
    opening[usize::from(OPEN)] = true;
    vec![
        of("register", vec![DataType::Utf8, DataType::Date32], None),
        of("register_union", vec![DataType::BinaryView], None),
        of("opened", vec![DataType::BinaryView], Some(opening)),
    ]
}

/// The mark of an open session in a calendar.
const OPEN: u8 = b'/';

#[derive(Debug, PartialEq, Eq, Hash)]
struct Union {
    name: &'static str,
    /// The letters that open a session, where these alone count, as [`OPEN`].
    opening: Option<[bool; 128]>,
    signature: Signature,
}

impl AggregateUDFImpl for Union {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        // Views share their buffers, and what is exchanged between cores would be counted once for each of its parts.
        Ok(vec![Arc::new(Field::new(format!("{}[register]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{}() without GROUP BY", self.name)
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(match self.opening {
            None => Box::new(Registers::default()),
            Some(opening) => Box::new(Openings { opening, groups: Vec::new() }),
        })
    }
}

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
#[derive(Default)]
struct Registers {
    arrays: Vec<ArrayRef>,
    first: Vec<Option<Place>>,
    gathered: BTreeMap<usize, Gathered>,
    /// Bytes of the registers that are given on as they are. What else lies in their buffers is not ours.
    given: usize,
}

impl Registers {
    fn add_line(&mut self, group: usize, week: i32, marks: &[u8]) -> Result<()> {
        self.gathered.entry(group).or_default().add(week, marks)
    }

    fn add_registers(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>) -> Result<()> {
        let registers = Given::of(values);
        for (row, group) in groups.iter().enumerate() {
            let Some(register) = counts(filter, row).then(|| registers.register(row)).flatten() else { continue };
            match (self.first[*group], self.gathered.contains_key(group)) {
                (None, false) => {
                    self.first[*group] = Some((self.arrays.len(), row));
                    self.given += register.boxes.len();
                }
                (Some((array, row)), false) => {
                    let mut both = Gathered::default();
                    let before = Given::of(self.arrays.get(array).unwrap_or(values)).register(row);
                    for register in [before, Some(register)].into_iter().flatten() {
                        both.add(register.first_day, register.boxes)?;
                    }
                    self.first[*group] = None;
                    self.gathered.insert(*group, both);
                }
                (_, true) => self.add_line(*group, register.first_day, register.boxes)?,
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
            made.try_append_value(register.bytes())?;
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

impl GroupsAccumulator for Registers {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.first.resize(total_num_groups, None);
        let [marks, weeks] = values else { return self.add_registers(&values[0], group_indices, filter) };
        let (marks, weeks) = (marks.as_string::<i32>(), weeks.as_primitive::<Date32Type>());
        for (row, group) in group_indices.iter().enumerate() {
            if counts(filter, row) && marks.is_valid(row) && weeks.is_valid(row) {
                self.add_line(*group, weeks.value(row), marks.value(row).as_bytes())?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.first.resize(total_num_groups, None);
        self.add_registers(&values[0], group_indices, None)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(cast(&self.take(emit_to)?, &DataType::BinaryView)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![cast(&self.take(emit_to)?, &DataType::Binary)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self::default();
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let gathered: usize = self.gathered.values().map(|g| g.lines.capacity() + size_of::<Gathered>()).sum();
        self.given + gathered + self.first.capacity() * size_of::<Option<Place>>()
    }
}

/// Sessions that any register of the group opens.
struct Openings {
    opening: [bool; 128],
    groups: Vec<Gathered>,
}

impl Openings {
    fn take(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let mut out = BinaryViewBuilder::new();
        for group in emit.take_needed(&mut self.groups) {
            match group.lines.iter().all(|b| *b == BLANK) {
                true => out.append_null(),
                false => out.try_append_value(group.bytes())?,
            }
        }
        Ok(Arc::new(out.finish()))
    }
}

impl GroupsAccumulator for Openings {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, Gathered::default());
        let registers = Given::of(&values[0]);
        for (row, group) in group_indices.iter().enumerate() {
            let Some(register) = counts(filter, row).then(|| registers.register(row)).flatten() else { continue };
            let group = &mut self.groups[*group];
            let at = group.room(register.first_day, register.boxes.len())?;
            for (now, mark) in group.lines[at..].iter_mut().zip(register.boxes) {
                if self.opening[usize::from(mark & 127)] {
                    *now = OPEN;
                }
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.take(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![cast(&self.take(emit_to)?, &DataType::Binary)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self { opening: self.opening, groups: Vec::new() };
        let rows: Vec<usize> = (0..values[0].len()).collect();
        each.update_batch(values, &rows, filter, rows.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.groups.iter().map(|g| g.lines.capacity() + size_of::<Gathered>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_any_order_make_one_register() {
        let mut forth = Gathered::default();
        let mut back = Gathered::default();
        let lines = [(0, b"/\\............"), (14, b"OO............"), (7, b"II............"), (7, b"O............\\")];
        for (week, line) in lines {
            forth.add(week, line).unwrap();
        }
        for (week, line) in lines.into_iter().rev() {
            back.add(week, line).unwrap();
        }
        assert_eq!(forth.bytes(), back.bytes());
        assert_eq!(&forth.bytes()[18..32], b"OI...........\\");
        assert!(forth.add(i32::MAX - 7, b"/\\............").is_err());
        assert!(forth.add(i32::MIN, b"/\\............").is_err());
    }

    #[test]
    fn one_register_is_given_on_and_several_are_gathered() {
        let value = |week: i32, line: &str| [&week.to_le_bytes(), line.as_bytes()].concat();
        let (a, b, c) = (value(0, "/............."), value(7, "O............."), value(7, ".O............"));
        let column = |values: &[&[u8]]| Arc::new(values.iter().map(Some).collect::<BinaryViewArray>()) as ArrayRef;
        let mut registers = Registers::default();
        registers.update_batch(&[column(&[&a, &b])], &[0, 2], None, 3).unwrap();
        registers.update_batch(&[column(&[&c, &c])], &[2, 3], None, 4).unwrap();
        let first = registers.take(EmitTo::First(1)).unwrap();
        registers.update_batch(&[column(&[&a])], &[1], None, 3).unwrap();
        let rest = registers.take(EmitTo::All).unwrap();
        assert_eq!(first.as_binary_view().value(0), a);
        let rest = rest.as_binary_view();
        assert!(rest.is_null(0));
        assert_eq!(rest.value(1), value(0, "/.............OO............"));
        assert_eq!(rest.value(2), c);
    }
}
