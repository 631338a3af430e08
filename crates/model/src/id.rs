//! Identifiers: the school's URN and the pupil's UPN, and the integer key under which a pupil's
//! lines are kept.

use std::fmt;

/// A school's unique reference number in GIAS: six digits.
pub type Urn = i32;

/// A UPN as one integer. The mapping is one to one, so a key needs no table that hands it out, and a
/// ledger rebuilt from landing has the same keys.
pub type PupilKey = i64;

/// The 23 letters a UPN may hold: no I, O, S.
const LETTERS: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";
/// A last character is a digit (permanent) or a letter (temporary).
const LAST: i64 = 10 + LETTERS.len() as i64;

/// A unique pupil number of the right shape: a letter, eleven digits, a digit or a letter.
/// `Debug` shows the shape only: a UPN never reaches a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Upn([u8; 13]);

/// Why thirteen characters are not a UPN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shape}")]
pub struct UpnFault {
    /// What was found, with every letter as `A` and every digit as `9`: enough to see the fault,
    /// not enough to know the child.
    pub shape: String,
}

const fn letter_values() -> [u8; 256] {
    let mut table = [255u8; 256];
    let mut i = 0;
    while i < LETTERS.len() {
        table[LETTERS[i] as usize] = i as u8;
        i += 1;
    }
    table
}
static LETTER_VALUE: [u8; 256] = letter_values();

impl Upn {
    /// Reads thirteen bytes. Lower-case letters are not accepted here: callers fold first.
    pub fn parse(text: &[u8]) -> Result<Self, UpnFault> {
        let fault = || UpnFault { shape: shape_of(text) };
        let bytes: [u8; 13] = text.try_into().map_err(|_| fault())?;
        let digits = bytes[1..12].iter().all(u8::is_ascii_digit);
        let last = bytes[12].is_ascii_digit() || LETTER_VALUE[bytes[12] as usize] != 255;
        if LETTER_VALUE[bytes[0] as usize] == 255 || !digits || !last {
            return Err(fault());
        }
        Ok(Self(bytes))
    }

    /// The key under which this pupil's lines are kept.
    pub fn key(&self) -> PupilKey {
        let mut n = i64::from(LETTER_VALUE[self.0[0] as usize]);
        for b in &self.0[1..12] {
            n = n * 10 + i64::from(b - b'0');
        }
        let last = self.0[12];
        let last =
            if last.is_ascii_digit() { i64::from(last - b'0') } else { 10 + i64::from(LETTER_VALUE[last as usize]) };
        n * LAST + last
    }

    /// The UPN of a key; none where no UPN has that key.
    pub fn of_key(key: PupilKey) -> Option<Self> {
        let mut bytes = [0u8; 13];
        let last = key.rem_euclid(LAST);
        bytes[12] = if last < 10 { b'0' + last as u8 } else { LETTERS[(last - 10) as usize] };
        let mut n = key.div_euclid(LAST);
        for b in bytes[1..12].iter_mut().rev() {
            *b = b'0' + n.rem_euclid(10) as u8;
            n = n.div_euclid(10);
        }
        bytes[0] = *LETTERS.get(usize::try_from(n).ok()?)?;
        Some(Self(bytes))
    }

    /// Whether the first letter is the one the other twelve characters ask for
    /// (weights 2 to 13, modulo 23). A wrong one is a warning: DfE's own test numbers fail it.
    pub fn check_letter_is_right(&self) -> bool {
        let sum: u32 = self.0[1..]
            .iter()
            .zip(2u32..)
            .map(|(b, weight)| {
                let value = if b.is_ascii_digit() { b - b'0' } else { LETTER_VALUE[*b as usize] };
                weight * u32::from(value)
            })
            .sum();
        LETTERS[(sum % 23) as usize] == self.0[0]
    }

    /// The thirteen characters, all ASCII.
    pub fn as_bytes(&self) -> &[u8; 13] {
        &self.0
    }

    /// The thirteen characters.
    pub fn as_str(&self) -> &str {
        // Only ASCII passes `parse` and `of_key`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Upn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shape_of(&self.0))
    }
}

fn shape(c: char) -> char {
    match c {
        c if c.is_ascii_digit() => '9',
        c if c.is_alphabetic() => 'A',
        c => c,
    }
}

/// A value with every letter as `A`, every digit as `9`, cut at 24 characters.
pub fn shape_of(text: &[u8]) -> String {
    let shown: String =
        String::from_utf8_lossy(text).chars().take(24).map(|c| if c.is_control() { '?' } else { shape(c) }).collect();
    let length = String::from_utf8_lossy(text).chars().count();
    format!("{shown} ({length} characters)")
}

/// A text with every UPN in it shown as its shape: a message of a library, or a file's name, may quote one.
pub fn without_upns(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bytes = word.as_bytes();
        let is_upn = |w: &[u8]| w[0].is_ascii_alphabetic() && w[1..].iter().all(u8::is_ascii_digit);
        match bytes.windows(12).any(is_upn) {
            true => shown.extend(word.chars().map(|c| if c.is_ascii() { shape(c) } else { c })),
            false => shown.push_str(word),
        }
    }
    shown
}

/// A field as a message may show it: as it stands where it can only be a code, a date or a short number, and else by
/// its shape. A file whose columns have shifted holds a child's name or UPN in any of them.
pub fn shown(text: &str) -> String {
    const SHORT: usize = 2;
    const DIGITS_TOGETHER: usize = 8;
    let is_number = text.len() <= 25
        && text.chars().all(|c| c.is_ascii_digit() || "-/.:+ETZ ".contains(c))
        && text.chars().any(|c| c.is_ascii_digit())
        && text.split(|c: char| !c.is_ascii_digit()).all(|run| run.len() <= DIGITS_TOGETHER);
    if is_number || text.chars().count() <= SHORT && !text.chars().any(char::is_control) {
        text.to_owned()
    } else {
        shape_of(text.as_bytes())
    }
}

/// A message of a library without the values it quotes, and without UPNs: what could not be cast or parsed may be a
/// child's name or date of birth.
pub fn without_values(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let quotes = [("string '", "' to value"), ("from '", "': "), ("parsing '", "' as ")];
    let next = |rest: &str| {
        let found = quotes.iter().filter_map(|(begin, end)| Some((rest.find(begin)? + begin.len(), *end)));
        found.min()
    };
    while let Some((at, end)) = next(rest) {
        shown += &rest[..at];
        rest = &rest[at..];
        // A quote that is not closed as expected hides all that is left.
        let length = rest.find(end).unwrap_or(rest.len());
        shown += &shape_of(&rest.as_bytes()[..length]);
        rest = &rest[length..];
    }
    without_upns(&(shown + rest))
}

/// What went wrong and why, without the values that libraries quote. Each thing is said once: an error may quote the one
/// it comes from, or not.
pub fn words_of(error: &(dyn std::error::Error + 'static)) -> String {
    let words = std::iter::successors(Some(error), |error| error.source()).fold(String::new(), |mut words, cause| {
        let cause = cause.to_string();
        if !words.contains(&cause) {
            words += if words.is_empty() { "" } else { ": " };
            words += &cause;
        }
        words
    });
    without_values(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_library_quotes_is_hidden() {
        for (said, shown) in [
            (
                "Cannot cast string 'O'Neil' to value of Int32 type",
                "Cannot cast string 'A'AAAA (6 characters)' to value of Int32 type",
            ),
            (
                "Error parsing timestamp from '2016-13-01': no month",
                "Error parsing timestamp from '9999-99-99 (10 characters)': no month",
            ),
            ("No field named 'upm'", "No field named 'upm'"),
            ("Cannot cast string 'Ann", "Cannot cast string 'AAA (3 characters)"),
        ] {
            assert_eq!(without_values(said), shown);
        }
    }

    #[test]
    fn a_field_is_shown_where_it_cannot_be_a_child() {
        for plain in ["QQ", "@", "2026-09-31", "31/09/2026", "1.40E+05", "999999", "2026-09-31 08:00:00", ""] {
            assert_eq!(shown(plain), plain);
        }
        for hidden in ["Lee", "Smith", "E850200120003", "T850200120003", "A85020012000B", "1234567890"] {
            assert!(!shown(hidden).contains(hidden), "{hidden}");
        }
        assert_eq!(shown("Lee"), "AAA (3 characters)");
    }

    #[test]
    fn check_letters_of_the_published_vectors() {
        for right in ["R201100018042", "T20110001804V", "X00180001701A"] {
            let upn = Upn::parse(right.as_bytes()).unwrap();
            assert!(upn.check_letter_is_right(), "{right}");
        }
        assert!(!Upn::parse(b"A201100018042").unwrap().check_letter_is_right());
    }

    #[test]
    fn keys_are_one_to_one() {
        for text in ["A000000000000", "Z99999999999Z", "R201100018042", "T20110001804V"] {
            let upn = Upn::parse(text.as_bytes()).unwrap();
            assert_eq!(Upn::of_key(upn.key()), Some(upn), "{text}");
        }
        assert_eq!(Upn::of_key(-1), None);
        assert_eq!(Upn::of_key(i64::MAX), None);
    }

    #[test]
    fn a_fault_shows_the_shape_and_not_the_number() {
        let fault = Upn::parse(b"I12345678901").unwrap_err();
        assert_eq!(fault.shape, "A99999999999 (12 characters)");
        assert!(Upn::parse("é123".as_bytes()).is_err());
        assert!(!format!("{:?}", Upn::parse(b"R201100018042").unwrap()).contains("2011"));
    }
}
