//! Marks: rows of a file into a grid for each school.
//!
//! A plain row (`URN,UPN,Date,Session,Mark` in that order, nothing quoted) is read at fixed places; any
//! other row is split with care. Both end in [`Grids::put`], so both judge alike.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use lake::register::{REFUSED, UNSTATED};
use model::line::{box_of, days_from_epoch};
use model::{BLANK, Session, Upn, Urn};

use crate::csv_rows::Row;
use crate::date::{self, DateForms};
use crate::decoder::Decoder;
use crate::findings::Findings;
use crate::grid::{DELETED, Detail, LINES_A_FILE, SchoolGrid};
use crate::header::Header;
use crate::kind::{damaged, parse_urn, yes_no};

/// The boxes of Monday to Friday come before this one.
const WEEKDAYS: usize = 10;

/// A date as a file holds it, judged once for all the rows that repeat it.
#[derive(Clone, Copy)]
struct Day {
    date: NaiveDate,
    number: i32,
    monday: i32,
}

/// More schools than any authority or trust has.
const SCHOOLS_A_FILE: usize = 4_000;

/// All schools of one file.
pub struct Grids<'a> {
    decoder: &'a Decoder<'a>,
    header: Header,
    /// The grids, in order of first row.
    schools: Vec<SchoolGrid>,
    /// The boxes with a refused row that does not say of which school it is, by Monday; of any week where it does not
    /// say that either.
    unclaimed: BTreeMap<Option<i32>, u16>,
    places: HashMap<Urn, usize>,
    school: usize,
    pupil: usize,
    day_text: [u8; 10],
    day: Option<Day>,
    forms: DateForms,
    /// Single letters that may stand in both sessions, on any day, as they are.
    free: [bool; 256],
    is_plain: bool,
    changes_only: bool,
    /// Lines that all schools hold.
    held_lines: usize,
}

/// One row, field by field.
struct Fields<'r> {
    urn: &'r [u8],
    upn: &'r [u8],
    date: &'r [u8],
    session: &'r [u8],
    mark: &'r [u8],
    deleted: bool,
}

/// `140001,Q850200120003,2026-09-07,AM,/`: a mark of one or two characters, and nothing that needs care.
#[inline]
fn plain_fields(text: &[u8]) -> Option<Fields<'_>> {
    if text.len() < 36 || 37 < text.len() {
        return None;
    }
    let commas = text[6] == b',' && text[20] == b',' && text[31] == b',' && text[34] == b',';
    let mark = &text[35..];
    let fields = Fields {
        urn: &text[..6],
        upn: &text[7..20],
        date: &text[21..31],
        session: &text[32..34],
        mark,
        deleted: false,
    };
    (commas && is_bare(mark)).then_some(fields)
}

/// `"140001","Q850200120003","2026-09-07","AM","/"`.
#[inline]
fn quoted_fields(text: &[u8]) -> Option<Fields<'_>> {
    if text.len() < 46 || 47 < text.len() {
        return None;
    }
    let between = |at: usize| text[at..at + 3] == *b"\",\"";
    let ends = between(7) && between(23) && between(36) && between(41) && text[text.len() - 1] == b'"';
    let fields = Fields {
        urn: &text[1..7],
        upn: &text[10..23],
        date: &text[26..36],
        session: &text[39..41],
        mark: &text[44..text.len() - 1],
        deleted: false,
    };
    (ends && is_bare(fields.mark)).then_some(fields)
}

/// Whether a mark needs no care.
#[inline]
fn is_bare(mark: &[u8]) -> bool {
    !mark.iter().any(|b| matches!(b, b',' | b'"' | b' '))
}

impl<'a> Grids<'a> {
    /// Begins a file with this header.
    pub fn new(decoder: &'a Decoder<'a>, header: Header) -> Self {
        let mut free = [false; 256];
        for code in decoder.codes.iter() {
            let always = code.valid_from.is_none() && code.valid_to.is_none() && !code.legacy;
            let single = code.code.len() == 1 && code.code.as_bytes()[0] == code.letter as u8;
            free[code.letter as usize] =
                always && single && !matches!(code.letter, '/' | '\\') && !decoder.codes_mapped(&code.code);
        }
        let plain: Vec<Option<usize>> = (0..5).map(Some).collect();
        Self {
            decoder,
            is_plain: header.width == 5 && header.columns[..5] == plain[..],
            header,
            schools: Vec::new(),
            unclaimed: BTreeMap::new(),
            places: HashMap::new(),
            school: 0,
            pupil: 0,
            day_text: [0; 10],
            day: None,
            forms: DateForms::default(),
            free,
            changes_only: decoder.mapping.changes_only,
            held_lines: 0,
        }
    }

    /// Whether rows may be read at fixed places.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The forms in which dates were written.
    pub fn date_forms(&self) -> &DateForms {
        &self.forms
    }

    /// A row at fixed places, every field quoted or none; `false` where it is neither, and must be split with care.
    /// It begins where a row begins, so a quote at its first byte opens a field. `quotes`: there may be some.
    #[inline]
    pub fn put_plain(&mut self, text: &[u8], quotes: bool, line: u64, findings: &mut Findings) -> bool {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let fields = match text {
            [b'"', ..] => quoted_fields(text).filter(|_| memchr::memchr_iter(b'"', text).count() == 10),
            _ => plain_fields(text).filter(|_| !quotes || memchr::memchr(b'"', text).is_none()),
        };
        match fields {
            Some(fields) => {
                self.put(&fields, line, findings);
                true
            }
            None => false,
        }
    }

    /// A row that was split into fields.
    pub fn put_row(&mut self, row: &Row, findings: &mut Findings) {
        let at = |column: usize| self.header.columns[column].map_or(&[][..], |i| row.bytes(i).trim_ascii());
        let said = |column: usize| !at(column).is_empty();
        let deleted = match at(8) {
            b"" => false,
            said => match std::str::from_utf8(said).ok().and_then(yes_no) {
                Some(deleted) => deleted,
                None => {
                    findings.rows_in += 1;
                    let found = model::id::shown(&String::from_utf8_lossy(said));
                    findings.refuse("unknown_deletion", row.line, parse_urn(at(0)), &format!("IsDeleted: {found}"));
                    return self.spoilt_row(row);
                }
            },
        };
        let fields = Fields { urn: at(0), upn: at(1), date: at(2), session: at(3), mark: at(4), deleted };
        let extra = said(6) || said(7);
        let placed = self.put(&fields, row.line, findings);
        if let (true, Some((pupil_key, date, session))) = (extra, placed) {
            let minutes = self.header.columns[6].map(|i| row.text(i).into_owned()).unwrap_or_default();
            let minutes_late = minutes.parse::<u16>().ok().map(i32::from);
            if minutes_late.is_none() && !minutes.is_empty() {
                let column = &self.header.kind.columns()[6];
                let found = format!("{}: {}", column.name, model::id::shown(&minutes));
                let school = self.schools[self.school].urn;
                findings.gather("unknown_value", row.line, Some(school), &found, Some((date, session))).of(column);
            }
            let comment = self.header.columns[7].map(|i| row.text(i).into_owned()).unwrap_or_default();
            self.schools[self.school].details.push(Detail {
                pupil_key,
                date,
                session,
                minutes_late,
                comment: (!comment.is_empty()).then(|| comment.chars().take(2000).collect()),
            });
        }
    }

    /// Judges one row and sets its box. Says where it was put, if it was kept.
    #[inline]
    fn put(&mut self, row: &Fields<'_>, line: u64, findings: &mut Findings) -> Option<(i64, NaiveDate, Session)> {
        findings.rows_in += 1;
        self.forms.line = line;
        // A row at fixed places has blanks around its fields still; none of them is a field with them.
        let text = |b: &[u8]| model::id::shown(&String::from_utf8_lossy(b.trim_ascii()));
        let urn = match parse_urn(row.urn) {
            Some(urn) => urn,
            None => {
                let rule = if damaged(row.urn) { "damaged_by_spreadsheet" } else { "urn_shape" };
                findings.refuse(rule, line, None, &text(row.urn));
                self.leave_everywhere(row.date, row.session);
                return None;
            }
        };
        // Nearly always the child of the row before or the next one: known already, and so of the right shape.
        let school = self.schools.get(self.school).filter(|s| s.urn == urn);
        let likely = school.and_then(|s| {
            let at = |pupil| s.upn(pupil).filter(|upn| upn.as_bytes() == row.upn);
            at(self.pupil).or_else(|| at(self.pupil + 1))
        });
        let upn = match likely.map_or_else(|| Upn::parse(row.upn), |upn| Ok(*upn)) {
            Ok(upn) => upn,
            Err(_) => match Upn::parse(&row.upn.trim_ascii().to_ascii_uppercase()) {
                Ok(upn) => upn,
                Err(fault) => {
                    let rule = if damaged(row.upn) { "damaged_by_spreadsheet" } else { "upn_shape" };
                    findings.refuse(rule, line, Some(urn), &fault.shape);
                    self.leave_all_alone(urn, row.date, row.session);
                    return None;
                }
            },
        };
        if self.schools.get(self.school).is_none_or(|s| s.urn != urn) {
            let Some(place) = self.place(urn) else {
                findings.list("too_many_schools", line, Some(urn), "one school more", None, None);
                return None;
            };
            self.school = place;
        }
        let day = if row.date == self.day_text.as_slice() { self.day } else { self.read_day(row.date) };
        let session = match row.session {
            b"AM" => Some(Session::Am),
            b"PM" => Some(Session::Pm),
            other => session_of(other),
        };
        let Some(day) = day else {
            findings.list("impossible_date", line, Some(urn), &text(row.date), Some(upn.key()), None);
            self.leave_alone(upn, None, row.session);
            return None;
        };
        if self.decoder.received_on < day.date || day.date < self.decoder.earliest {
            let rule = if day.date < self.decoder.earliest { "date_before_year" } else { "date_in_future" };
            findings.list(rule, line, Some(urn), &text(row.date), Some(upn.key()), None);
            // Another day was meant, and nobody can say which.
            self.leave_alone(upn, None, row.session);
            return None;
        }
        let Some(session) = session else {
            // It may have been either half day: neither is withdrawn for want of a row.
            self.leave_alone(upn, Some(day), row.session);
            findings.list(
                "unknown_session",
                line,
                Some(urn),
                &text(row.session),
                Some(upn.key()),
                Some((day.date, Session::Am)),
            );
            return None;
        };
        let place = Some((day.date, session));
        let judged = self.judge(urn, row.mark, day.date, session);
        let school = &mut self.schools[self.school];
        let known = school.len();
        if !school.has_room_for(upn) {
            findings.list("too_many_pupils", line, Some(urn), "one pupil more", None, None);
            return None;
        }
        if LINES_A_FILE < self.held_lines {
            findings.list("too_many_pupils", line, Some(urn), "more weeks of pupils than a file may hold", None, None);
            return None;
        }
        self.pupil = school.pupil(upn, self.pupil);
        if known < school.len() && !upn.check_letter_is_right() {
            findings.list(
                "upn_check_letter",
                line,
                Some(urn),
                &model::id::shape_of(upn.as_str().as_bytes()),
                Some(upn.key()),
                None,
            );
        }
        let at = box_of(day.date, session);
        let now = &mut school.line(day.monday, self.pupil, &mut self.held_lines)[at];
        let letter = match judged {
            Judged::Letter(letter) => letter,
            Judged::Warned(rule, letter) => {
                findings.gather(rule, line, Some(urn), &self.decoder.shown_mark(row.mark), place);
                letter
            }
            // What is deleted needs no code.
            Judged::Refused(_) if row.deleted => BLANK,
            Judged::Refused(rule) => {
                if *now == UNSTATED {
                    *now = REFUSED;
                }
                findings.list(rule, line, Some(urn), &self.decoder.shown_mark(row.mark), Some(upn.key()), place);
                return None;
            }
        };
        if WEEKDAYS <= at && letter != BLANK && !row.deleted {
            findings.gather("weekend_session", line, Some(urn), "a Saturday or Sunday", place);
        }
        match *now {
            UNSTATED | REFUSED if row.deleted => *now = DELETED,
            // A deletion takes away the mark that it names, and no other row that took its place.
            _ if row.deleted => {
                if *now == letter {
                    *now = DELETED;
                }
            }
            // Of a blank row and one with a mark only the one says something, whichever comes first.
            UNSTATED | REFUSED | DELETED | BLANK => *now = letter,
            _ if letter == BLANK => {}
            same if same == letter => {
                findings.gather("duplicate_same_mark", line, Some(urn), &self.decoder.shown_mark(row.mark), place);
            }
            _ => {
                findings.list(
                    "duplicate_different_mark",
                    line,
                    Some(urn),
                    &self.decoder.shown_mark(row.mark),
                    Some(upn.key()),
                    place,
                );
                return None;
            }
        }
        school.days = Some(match school.days {
            None => (day.number, day.number),
            Some((first, last)) => (first.min(day.number), last.max(day.number)),
        });
        school.rows_kept += 1;
        findings.rows_kept += 1;
        // What a deleted row says besides is deleted with it.
        (!row.deleted).then_some((upn.key(), day.date, session))
    }

    /// The place of a school, which may be met for the first time; none where there are too many.
    fn place(&mut self, urn: Urn) -> Option<usize> {
        if let Some(place) = self.places.get(&urn) {
            return Some(*place);
        }
        let place = self.schools.len();
        if SCHOOLS_A_FILE <= place {
            return None;
        }
        self.schools.push(SchoolGrid::of(urn, self.changes_only));
        self.places.insert(urn, place);
        Some(place)
    }

    /// Makes sure that no session of a child of the school at hand that a refused row may speak of is taken as
    /// withdrawn.
    fn leave_alone(&mut self, upn: Upn, day: Option<Day>, session: &[u8]) {
        let school = &mut self.schools[self.school];
        if school.has_room_for(upn) {
            // Where the file may hold no more lines, any child's are left alone.
            let pupil = (self.held_lines <= LINES_A_FILE).then(|| school.pupil(upn, self.pupil));
            let monday = day.map(|day| day.monday);
            school.leave_alone(pupil, monday, boxes_of(day, session), &mut self.held_lines);
        }
    }

    /// The same for all children of a school: the row does not say whose it is.
    fn leave_all_alone(&mut self, urn: Urn, date: &[u8], session: &[u8]) {
        let day = self.read_day(date);
        if let Some(place) = self.place(urn) {
            let monday = day.map(|day| day.monday);
            self.schools[place].leave_alone(None, monday, boxes_of(day, session), &mut self.held_lines);
        }
    }

    /// The same for all schools.
    fn leave_everywhere(&mut self, date: &[u8], session: &[u8]) {
        let day = self.read_day(date);
        *self.unclaimed.entry(day.map(|day| day.monday)).or_default() |= boxes_of(day, session);
    }

    /// A row of which nothing can be read.
    pub fn unread_row(&mut self) {
        self.leave_everywhere(b"", b"");
    }

    /// The schools, at the end of the file.
    pub fn finish(mut self) -> Vec<SchoolGrid> {
        for (monday, boxes) in self.unclaimed {
            for school in &mut self.schools {
                school.leave_alone(None, monday, boxes, &mut self.held_lines);
            }
        }
        self.schools
    }

    /// A row with too few or too many fields: refused, and its session left alone as far as it can be read.
    pub fn spoilt_row(&mut self, row: &Row) {
        let at = |column: usize| self.header.columns[column].map_or(&[][..], |i| row.bytes(i).trim_ascii()).to_vec();
        let (urn, upn, date, session) = (at(0), at(1), at(2), at(3));
        let Some(urn) = parse_urn(&urn) else { return self.leave_everywhere(&date, &session) };
        let school = self.places.get(&urn).copied();
        // Fields may have slipped: only a child who is met before is taken to be the row's.
        let is_known = |upn: &Upn| school.is_some_and(|s| self.schools[s].knows(*upn));
        let (Some(school), Some(upn)) = (school, Upn::parse(&upn).ok().filter(is_known)) else {
            return self.leave_all_alone(urn, &date, &session);
        };
        self.school = school;
        let day = self.read_day(&date);
        self.leave_alone(upn, day, &session);
    }

    fn read_day(&mut self, text: &[u8]) -> Option<Day> {
        let found = std::str::from_utf8(text).ok().and_then(date::parse).map(|(date, form)| {
            self.forms.meet(form);
            let monday = days_from_epoch(model::monday_of(date));
            Day { date, number: days_from_epoch(date), monday }
        });
        if let Ok(text) = <[u8; 10]>::try_from(text) {
            self.day_text = text;
            self.day = found;
        }
        found
    }

    #[inline]
    fn judge(&self, urn: Urn, mark: &[u8], day: NaiveDate, session: Session) -> Judged {
        match mark {
            [b] if self.free[*b as usize] => return Judged::Letter(*b),
            b"/" if session == Session::Am && !self.decoder.maps_codes() => return Judged::Letter(b'/'),
            b"\\" if session == Session::Pm && !self.decoder.maps_codes() => return Judged::Letter(b'\\'),
            b"" | b"-" | b"--" => return Judged::Letter(BLANK),
            _ => {}
        }
        let text = String::from_utf8_lossy(mark);
        let mapped = self.decoder.map_code(urn, text.trim());
        if mapped.is_empty() || mapped.bytes().all(|b| b == b'-') && mapped.len() <= 2 {
            return Judged::Letter(BLANK);
        }
        let upper = mapped.to_ascii_uppercase();
        let Some(code) = self.decoder.codes.code(&mapped).or_else(|| self.decoder.codes.code(&upper)) else {
            return Judged::Refused("unknown_code");
        };
        let letter = code.letter as u8;
        if code.valid_from.is_some_and(|from| day < from) {
            return Judged::Refused("code_not_valid_on_day");
        }
        if code.valid_to.is_some_and(|to| to < day) {
            return if code.legacy {
                Judged::Warned("legacy_code", letter)
            } else {
                Judged::Refused("code_not_valid_on_day")
            };
        }
        match (letter, session) {
            (b'/', Session::Pm) | (b'\\', Session::Am) => Judged::Warned("present_code_of_other_session", letter),
            _ => Judged::Letter(letter),
        }
    }
}

enum Judged {
    Letter(u8),
    Warned(&'static str, u8),
    Refused(&'static str),
}

fn session_of(text: &[u8]) -> Option<Session> {
    std::str::from_utf8(text.trim_ascii()).ok().and_then(Session::parse)
}

/// The boxes of its week that a row may speak of: of both half days, where it does not say which, and of all days.
fn boxes_of(day: Option<Day>, session: &[u8]) -> u16 {
    let sessions = match session_of(session) {
        Some(Session::Am) => &[Session::Am][..],
        Some(Session::Pm) => &[Session::Pm],
        None => &[Session::Am, Session::Pm],
    };
    let Some(day) = day else { return u16::MAX };
    sessions.iter().fold(0, |boxes, session| boxes | 1 << box_of(day.date, *session))
}
