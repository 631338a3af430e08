//! Every distinct line that a session has come across, numbered, with what it says worked out once.
//!
//! Schools repeat themselves: of the seven million lines of a large authority's year 150,000 differ, and a
//! thousand of them make up nine tenths. A register is therefore held as numbers of lines, a third of its size
//! as boxes, and is counted by adding what its lines come to. Numbers mean nothing outside their session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use datafusion::arrow::array::{Array, BinaryViewArray, make_view};
use datafusion::arrow::buffer::Buffer;
use datafusion::common::{HashMap, Result, exec_err};
use model::{BLANK, CodeTable, SESSIONS_A_WEEK};

use crate::register::write_register;

/// A week's fourteen boxes.
pub(crate) type Line = [u8; SESSIONS_A_WEEK];

/// The line without a mark.
pub(crate) const BLANK_LINE: Line = [BLANK; SESSIONS_A_WEEK];

/// Letters a line may hold.
pub(crate) const LETTERS: usize = 128;

/// What is counted of marks at once, in this order: the measures, and how often N stands.
pub(crate) const MEASURES: [&str; 8] =
    ["possible", "attended", "absent", "authorised", "unauthorised", "late", "recorded", "codes:N"];

/// The boxes whose mark is such, as a mask: bit 0 is Monday AM, bit 13 Sunday PM.
pub(crate) fn boxes_with(line: &[u8], is_such: impl Fn(u8) -> bool) -> u16 {
    let boxes = line.iter().take(SESSIONS_A_WEEK).enumerate();
    boxes.fold(0, |mask, (at, mark)| mask | u16::from(is_such(*mark)) << at)
}

/// Letters, each in or out.
pub(crate) type LetterSet = [bool; LETTERS];

/// Something of every line, by its number, worked out once for all who ask.
type OfLines<T> = Mutex<HashMap<LetterSet, Arc<[T]>>>;

/// The numbers of a session's lines. Whoever holds the lines to read asks for nothing else of the book meanwhile.
#[derive(Debug)]
pub(crate) struct LineBook {
    lines: RwLock<NumberedLines>,
    boxes: OfLines<u16>,
    only: OfLines<u32>,
}

impl LineBook {
    /// One that holds the blank line, as number 0.
    pub(crate) fn of(codes: &CodeTable) -> Self {
        let sets = MEASURES.map(|name| codes.set(name).unwrap_or([false; LETTERS]));
        let byte_each = |letter: usize| {
            let of = |(place, set): (usize, &[bool; LETTERS])| u64::from(set[letter]) << (8 * place);
            sets.iter().enumerate().map(of).sum()
        };
        let mut lines = NumberedLines {
            adds: std::array::from_fn(byte_each),
            opening: codes.set("opening").unwrap_or([false; LETTERS]),
            numbers: HashMap::default(),
            lines: Vec::new(),
            marked: Vec::new(),
            opened: Vec::new(),
            tallies: Vec::new(),
        };
        lines.number(&BLANK_LINE);
        Self { lines: RwLock::new(lines), boxes: Mutex::default(), only: Mutex::default() }
    }

    /// The lines so far. Lines are numbered only while nobody reads.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, NumberedLines> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Their numbers, given anew to those not met before.
    pub(crate) fn number(&self, lines: &[Line]) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(lines.len());
        {
            let known = self.read();
            numbers.extend(lines.iter().map_while(|line| known.numbers.get(line)));
        }
        if numbers.len() < lines.len() {
            let mut known = self.lines.write().unwrap_or_else(PoisonError::into_inner);
            let rest = &lines[numbers.len()..];
            numbers.extend(rest.iter().map(|line| known.number(line)));
        }
        numbers
    }

    /// Makes room for so many lines more.
    pub(crate) fn reserve(&self, lines: usize) {
        self.lines.write().unwrap_or_else(PoisonError::into_inner).reserve(lines);
    }

    /// Each line's boxes that hold a letter of a set, as a mask.
    pub(crate) fn boxes_with(&self, set: &LetterSet) -> Masks {
        let mut boxes = held(&self.boxes);
        let boxes = boxes.entry(*set).or_default();
        let known = self.read();
        if let new @ [_, ..] = &known.lines[boxes.len()..] {
            let new = new.iter().map(|line| boxes_with(line, |mark| set[usize::from(mark & 127)]));
            *boxes = boxes.iter().copied().chain(new).collect();
        }
        Masks(Arc::clone(boxes))
    }

    /// The number of each line's marks of a set alone.
    pub(crate) fn only(&self, set: &LetterSet) -> Arc<[u32]> {
        let mut only = held(&self.only);
        let only = only.entry(*set).or_default();
        let keep = |mark: u8| if set[usize::from(mark & 127)] { mark } else { BLANK };
        let new: Vec<Line> = self.read().lines[only.len()..].iter().map(|line| line.map(keep)).collect();
        if !new.is_empty() {
            *only = only.iter().copied().chain(self.number(&new)).collect();
        }
        Arc::clone(only)
    }

    /// A register of these lines, a week each.
    pub(crate) fn register_of(&self, first_week: i32, lines: &[Line]) -> Vec<u8> {
        let mut register = Vec::with_capacity(4 + 4 * lines.len());
        write_register(first_week, self.number(lines), &mut register);
        register
    }

    /// Registers given as boxes (the first Monday in four bytes, least first, and fourteen boxes a week), with
    /// their lines numbered.
    pub(crate) fn number_registers(&self, boxes: &BinaryViewArray) -> Result<BinaryViewArray> {
        let (mut lines, mut views) = (Vec::new(), Vec::with_capacity(boxes.len()));
        for register in boxes.iter().flatten().filter_map(|bytes| bytes.get(4..)) {
            let (weeks, []) = register.as_chunks::<SESSIONS_A_WEEK>() else {
                return exec_err!("a register of other than whole weeks");
            };
            lines.extend_from_slice(weeks);
        }
        let mut numbers = self.number(&lines).into_iter();
        let mut values: Vec<u8> = Vec::with_capacity(4 * (boxes.len() + lines.len()));
        for register in boxes {
            let begun = values.len();
            if let Some((monday, weeks)) = register.and_then(<[u8]>::split_first_chunk::<4>) {
                let weeks = numbers.by_ref().take(weeks.len() / SESSIONS_A_WEEK);
                write_register(i32::from_le_bytes(*monday), weeks, &mut values);
            }
            views.push(make_view(&values[begun..], 0, begun as u32));
        }
        let buffers: Arc<[Buffer]> = Arc::new([Buffer::from_vec(values)]);
        Ok(BinaryViewArray::try_new(views.into(), buffers, boxes.nulls().cloned())?)
    }
}

fn held<T>(of_lines: &OfLines<T>) -> MutexGuard<'_, HashMap<LetterSet, Arc<[T]>>> {
    of_lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mask of boxes for every line: bit 0 is Monday AM, bit 13 Sunday PM.
pub(crate) struct Masks(Arc<[u16]>);

impl Masks {
    /// That of a line; none of what was never numbered.
    pub(crate) fn of(&self, number: u32) -> u16 {
        self.0.get(number as usize).copied().unwrap_or_default()
    }
}

/// Lines by number, and what each comes to.
#[derive(Debug)]
pub(crate) struct NumberedLines {
    /// What a letter adds to each of [`MEASURES`], eight bits each.
    adds: [u64; LETTERS],
    opening: [bool; LETTERS],
    numbers: HashMap<Line, u32>,
    lines: Vec<Line>,
    marked: Vec<u16>,
    opened: Vec<u16>,
    tallies: Vec<u128>,
}

impl NumberedLines {
    fn reserve(&mut self, lines: usize) {
        self.numbers.reserve(lines);
        self.lines.reserve(lines);
        self.marked.reserve(lines);
        self.opened.reserve(lines);
        self.tallies.reserve(lines);
    }

    fn number(&mut self, line: &Line) -> u32 {
        if let Some(number) = self.numbers.get(line) {
            return *number;
        }
        let number = self.lines.len() as u32;
        // Eight bits a measure do for a line's fourteen boxes. Sixteen: a register of the most weeks there may be does
        // not overflow them.
        let counts = self.added(line).iter().sum::<u64>().to_le_bytes();
        let tally = counts.iter().rev().fold(0, |tally, count| tally << 16 | u128::from(*count));
        self.tallies.push(tally);
        self.marked.push(boxes_with(line, |mark| mark != BLANK));
        self.opened.push(boxes_with(line, |mark| self.opening[usize::from(mark & 127)]));
        self.lines.push(*line);
        self.numbers.insert(*line, number);
        number
    }

    /// All of them, in order of number.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// A line. What was never numbered is blank.
    pub(crate) fn line(&self, number: u32) -> &Line {
        self.lines.get(number as usize).unwrap_or(&BLANK_LINE)
    }

    /// Its boxes with a mark, as a mask.
    pub(crate) fn marked(&self, number: u32) -> u16 {
        self.marked.get(number as usize).copied().unwrap_or_default()
    }

    /// Its boxes with a mark that says the school was open, as a mask.
    pub(crate) fn opened(&self, number: u32) -> u16 {
        self.opened.get(number as usize).copied().unwrap_or_default()
    }

    /// Its marks by measure: sixteen bits for each of [`MEASURES`].
    pub(crate) fn tally(&self, number: u32) -> u128 {
        self.tallies.get(number as usize).copied().unwrap_or_default()
    }

    /// Each box's marks by measure: eight bits for each of [`MEASURES`]. None: nothing to add. Worked out anew each
    /// time: held, they would be most of the book.
    pub(crate) fn sessions(&self, number: u32) -> Option<[u64; SESSIONS_A_WEEK]> {
        Some(self.added(self.lines.get(number as usize).filter(|_| number != 0)?))
    }

    fn added(&self, line: &Line) -> [u64; SESSIONS_A_WEEK] {
        line.map(|mark| self.adds[usize::from(mark & 127)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> CodeTable {
        CodeTable::parse(include_str!("../../../sql/reference/attendance_code.csv")).unwrap()
    }

    #[test]
    fn a_line_has_one_number_and_the_blank_one_is_zero() {
        let book = LineBook::of(&codes());
        let (a, b) = (*b"/\\IIUO.#L\\....", *b"/.............");
        assert_eq!(book.number(&[a, BLANK_LINE, b, a]), [1, 0, 2, 1]);
        assert_eq!(book.number(&[b, *b"N.............", a]), [2, 3, 1]);
        let known = book.read();
        assert_eq!((known.len(), known.line(1), known.line(99)), (4, &a, &BLANK_LINE));
        assert_eq!(known.marked(1), 0b11_1011_1111);
        assert_eq!(known.opened(1), 0b11_0011_1111);
        let counts = |number| std::array::from_fn::<_, 8, _>(|place| known.tally(number) >> (16 * place) & 0xffff);
        assert_eq!(counts(1), [8, 4, 4, 2, 2, 2, 9, 0]);
        assert_eq!(counts(3), [1, 0, 1, 0, 1, 0, 1, 1]);
        assert_eq!(counts(99), [0; 8]);
    }

    #[test]
    fn lines_met_later_are_asked_of_too() {
        let book = LineBook::of(&codes());
        let set = codes().set("codes:I O").unwrap();
        let first = book.number(&[*b"/\\IIUO........"])[0];
        assert_eq!((book.boxes_with(&set).of(first), book.boxes_with(&set).of(99)), (0b10_1100, 0));
        let only = book.only(&set);
        assert_eq!(book.read().line(only[first as usize]), b"..II.O........");
        let second = book.number(&[*b"O............."])[0];
        assert_eq!((book.boxes_with(&set).of(first), book.boxes_with(&set).of(second)), (0b10_1100, 1));
        let only = book.only(&set);
        assert_eq!((only[0], only[second as usize]), (0, second));
        assert_eq!(only[only[first as usize] as usize], only[first as usize]);
    }

    #[test]
    fn boxes_become_numbers() {
        let book = LineBook::of(&codes());
        let register = |weeks: &[Line]| [&7i32.to_le_bytes(), weeks.as_flattened()].concat();
        let (a, b) = (*b"/\\............", BLANK_LINE);
        let boxes: BinaryViewArray =
            [Some(register(&[a, b, a])), None, Some(register(&[]))].iter().map(Option::as_deref).collect();
        let numbered = book.number_registers(&boxes).unwrap();
        assert_eq!(numbered.value(0), [7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert!(numbered.is_null(1));
        assert_eq!(numbered.value(2), [7, 0, 0, 0]);
        assert!(book.number_registers(&[Some(b"7777/".as_slice())].into_iter().collect()).is_err());
    }
}
