//! The bytes of one marks file. Tens of millions of rows are written this way, so a row is put together
//! from parts that are made once per pupil and once per day.

use std::ops::Range;

use chrono::NaiveDate;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::dialect::Dialect;
use super::mark::{self, Mark};
use super::overlay::gap;
use super::propensity::Phase;
use super::register::Register;
use super::upn::Upn;

/// What one file states.
pub struct Statement<'a> {
    /// The school and its marks.
    pub register: &'a Register<'a>,
    /// The URN in the file.
    pub urn: u32,
    /// The days, as places among the school's days.
    pub days: Range<usize>,
    /// The day whose roll it goes by: decides which UPN a pupil has.
    pub on: NaiveDate,
    /// Some reasons are not yet known: [`mark::NOT_YET`] stands for them.
    pub reasons_open: bool,
}

/// Makes a share of rows wrong.
pub struct Dirt {
    share: f64,
    clean_rows: usize,
    rng: ChaCha8Rng,
}

impl Dirt {
    /// Dirt for a share (0 to 1) of rows; wants a file to be begun.
    pub fn new(share: f64, rng: ChaCha8Rng) -> Self {
        Dirt { share, clean_rows: 0, rng }
    }

    /// Turns to another file: what is wrong in it depends on nothing but the two numbers.
    pub fn begin(&mut self, arrival: usize, day: usize) {
        let file = ((arrival as u128) << 32) | ((day as u128) << 20);
        self.rng.set_word_pos(file);
        self.clean_rows = gap(self.share, &mut self.rng);
    }

    fn hits(&mut self) -> bool {
        if self.clean_rows > 0 {
            self.clean_rows -= 1;
            return false;
        }
        self.clean_rows = gap(self.share, &mut self.rng);
        true
    }

    /// Spoils one field of a row: UPN, date, session or mark.
    fn spoil(&mut self, fields: &mut [String; 4]) {
        let place = self.rng.random_range(0..4);
        let picks: [&str; 3] = match place {
            0 => {
                let upn = &fields[0];
                fields[0] = match self.rng.random_range(0..3) {
                    0 => upn[..12].to_owned(),
                    1 => format!("S{}", &upn[1..]),
                    _ => format!("{}!", &upn[..12]),
                };
                return;
            }
            1 if fields[1].contains('/') => ["31/02/2027", "00/10/2026", "45/13/2026"],
            1 => ["2027-02-31", "2026-10-00", "2026-13-45"],
            2 => ["EVE", "3", "A"],
            _ => ["ZZ", "!", "H9"],
        };
        fields[place] = picks[self.rng.random_range(0..3)].to_owned();
    }
}

/// Bytes kept before they are handed on.
const CHUNK: usize = 1 << 20;
const COLUMNS: [&str; 5] = ["URN", "UPN", "Date", "Session", "Mark"];
const REORDERED_COLUMNS: [&str; 8] = ["Date", "Session", "UPN", "URN", "Mark", "Form", "MinutesLate", "Comment"];

/// Hands the file on in pieces of about a megabyte and returns its rows. Rows are in date, UPN and
/// session order.
pub fn write(
    statement: &Statement,
    order: &[u32],
    dirt: &mut Dirt,
    buffer: &mut Vec<u8>,
    mut hand_on: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let register = statement.register;
    let dialect = register.school.dialect;
    let parts = Parts::new(statement, dialect);
    let open_below = if statement.reasons_open { open_share(register.school.phase) } else { 0 };
    buffer.clear();
    dialect.header(if dialect.reordered { &REORDERED_COLUMNS } else { &COLUMNS }, buffer);
    let mut rows = 0;
    for place in statement.days.clone() {
        let day = register.days[place];
        let day_parts = ["AM", "PM"].map(|session| parts.day(&dialect.date(day.date), session));
        for &pupil in order {
            let pupil = pupil as usize;
            if !register.enrolments[pupil].in_register(day.date) {
                continue;
            }
            let marks = register.marks(pupil, place);
            for (half, mark) in marks.into_iter().enumerate() {
                let mark = if (mark == mark::ILL || mark == mark::UNEXPLAINED)
                    && open_below > 0
                    && scatter(register.school.number, pupil, place * 2 + half) < open_below
                {
                    mark::NOT_YET
                } else {
                    mark
                };
                if dirt.hits() {
                    let mut fields = [
                        String::from_utf8_lossy(&upn_on(register, pupil, statement.on)).into_owned(),
                        dialect.date(day.date),
                        ["AM", "PM"][half].to_owned(),
                        String::from_utf8_lossy(parts.text(half, mark)).into_owned(),
                    ];
                    dirt.spoil(&mut fields);
                    parts.slow_row(&fields, pupil, mark, buffer);
                } else {
                    parts.row(&day_parts[half], half, pupil, mark, buffer);
                }
                rows += 1;
            }
        }
        if buffer.len() > CHUNK {
            hand_on(buffer)?;
            buffer.clear();
        }
    }
    hand_on(buffer)?;
    Ok(rows)
}

/// Pupils in the order of the UPNs they have on a day.
pub fn order(register: &Register, on: NaiveDate) -> Vec<u32> {
    let mut order: Vec<u32> = (0..register.enrolments.len() as u32).collect();
    order.sort_by_key(|&pupil| upn_on(register, pupil as usize, on));
    order
}

/// The UPN a school knows a pupil by on a day.
fn upn_on(register: &Register, pupil: usize, on: NaiveDate) -> Upn {
    let pupil = &register.enrolments[pupil].pupil;
    match pupil.former_upn {
        Some((temporary, from)) if on < from => temporary,
        _ => pupil.upn,
    }
}

/// Below which value of [`scatter`] an absence's reason is not yet known when the week is first
/// sent: about one in a hundred marks.
fn open_share(phase: Phase) -> u32 {
    let share = match phase {
        Phase::Primary => 0.33,
        Phase::Secondary => 0.19,
        Phase::Special => 0.15,
        Phase::Alternative => 0.05,
    };
    (share * f64::from(u32::MAX)) as u32
}

/// A number that depends on a session alone, however often and in whatever file it is written.
fn scatter(school: usize, pupil: usize, session: usize) -> u32 {
    let mut x = ((school as u64) << 40) ^ ((pupil as u64) << 12) ^ session as u64;
    // The finisher of SplitMix64.
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 32) as u32
}

/// The parts of rows: `lead` per pupil, then a part per day (or the other way round), the mark, and
/// a `tail` per pupil.
struct Parts {
    dialect: Dialect,
    urn: String,
    leads: Vec<u8>,
    lead_length: usize,
    forms: Vec<[u8; 4]>,
    texts: [[&'static [u8]; mark::COUNT]; 2],
    tail: Vec<u8>,
}

impl Parts {
    fn new(statement: &Statement, dialect: Dialect) -> Self {
        let register = statement.register;
        let urn = statement.urn.to_string();
        let mut leads = Vec::with_capacity(register.enrolments.len() * 32);
        let mut forms = Vec::with_capacity(register.enrolments.len());
        for (pupil, enrolment) in register.enrolments.iter().enumerate() {
            let upn = upn_on(register, pupil, statement.on);
            let quote: &[u8] = if dialect.quoted { b"\"" } else { b"" };
            let fields: [&[u8]; 2] = if dialect.reordered { [&upn, urn.as_bytes()] } else { [urn.as_bytes(), &upn] };
            for field in fields {
                for part in [quote, field, quote, b","] {
                    leads.extend_from_slice(part);
                }
            }
            let year = enrolment.pupil.nc_year;
            forms.push([b'0' + year / 10, b'0' + year % 10, b"ABCDEF"[pupil % 6], b',']);
        }
        let dash: &[u8] = if dialect.dash_if_missing { b"-" } else { b"" };
        let texts = [b"/", b"\\"].map(|present: &'static [u8; 1]| {
            std::array::from_fn(|mark| match mark as Mark {
                mark::PRESENT => present.as_slice(),
                mark::MISSING => dash,
                _ => mark::TEXT[mark].as_bytes(),
            })
        });
        let mut tail = Vec::new();
        if dialect.quoted {
            tail.push(b'"');
        }
        tail.extend_from_slice(dialect.line_end());
        Parts { dialect, urn, lead_length: leads.len() / register.enrolments.len().max(1), leads, forms, texts, tail }
    }

    fn day(&self, date: &str, session: &str) -> Vec<u8> {
        if self.dialect.quoted {
            // The quote that opens the mark is the end of this part.
            format!("\"{date}\",\"{session}\",\"").into_bytes()
        } else {
            format!("{date},{session},").into_bytes()
        }
    }

    fn text(&self, half: usize, mark: Mark) -> &'static [u8] {
        self.texts[half][usize::from(mark)]
    }

    fn row(&self, day: &[u8], half: usize, pupil: usize, mark: Mark, out: &mut Vec<u8>) {
        let lead = &self.leads[pupil * self.lead_length..][..self.lead_length];
        if self.dialect.reordered {
            out.extend_from_slice(day);
            out.extend_from_slice(lead);
            out.extend_from_slice(self.text(half, mark));
            self.extra_columns(pupil, mark, out);
        } else {
            out.extend_from_slice(lead);
            out.extend_from_slice(day);
            out.extend_from_slice(self.text(half, mark));
        }
        out.extend_from_slice(&self.tail);
    }

    /// Form, minutes late (0 to 29) and an empty comment.
    fn extra_columns(&self, pupil: usize, mark: Mark, out: &mut Vec<u8>) {
        out.push(b',');
        out.extend_from_slice(&self.forms[pupil]);
        if mark == mark::LATE {
            let minutes = (pupil % 29 + 1) as u8;
            out.extend_from_slice(&[b'0' + minutes / 10, b'0' + minutes % 10]);
        }
        out.push(b',');
    }

    /// A row of any fields: UPN, date, session, mark.
    fn slow_row(&self, fields: &[String; 4], pupil: usize, mark: Mark, out: &mut Vec<u8>) {
        let [upn, date, session, text] = fields;
        if self.dialect.reordered {
            out.extend_from_slice(format!("{date},{session},{upn},{},{text}", self.urn).as_bytes());
            self.extra_columns(pupil, mark, out);
            out.extend_from_slice(&self.tail);
        } else {
            let fields = [&self.urn, upn, date, session, text];
            self.dialect.row(fields.into_iter().map(String::as_str), out);
        }
    }
}
