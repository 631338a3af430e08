//! Unique pupil numbers: thirteen characters of which the first is a check letter over the rest.

/// A unique pupil number as ASCII bytes, check letter first.
pub type Upn = [u8; 13];

/// The letters a UPN may hold, in the order of their values 0 to 22 (no I, O or S).
pub const LETTERS: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";

/// The check letter for the twelve characters that follow it.
pub fn check_letter(rest: &[u8]) -> u8 {
    let sum: usize = rest
        .iter()
        .enumerate()
        .map(|(place, &byte)| {
            let value = if byte.is_ascii_digit() {
                usize::from(byte - b'0')
            } else {
                LETTERS.iter().position(|&l| l == byte).unwrap_or(0)
            };
            value * (place + 2)
        })
        .sum();
    LETTERS[sum % LETTERS.len()]
}

/// A permanent UPN.
///
/// `authority` and `establishment` name the school that allocated it, `year` is the calendar year
/// of allocation and `serial` (0 to 999) tells the pupils of that year apart.
pub fn permanent(authority: u16, establishment: u16, year: i32, serial: usize) -> Upn {
    let mut upn = stem(authority, establishment, year);
    digits(&mut upn[10..13], serial);
    upn[0] = check_letter(&upn[1..]);
    upn
}

/// A temporary UPN: as a permanent one, but a two-digit serial (0 to 99) and a closing letter.
pub fn temporary(authority: u16, establishment: u16, year: i32, serial: usize) -> Upn {
    let mut upn = stem(authority, establishment, year);
    digits(&mut upn[10..12], serial % 100);
    upn[12] = LETTERS[(serial / 100) % LETTERS.len()];
    upn[0] = check_letter(&upn[1..]);
    upn
}

fn stem(authority: u16, establishment: u16, year: i32) -> Upn {
    let mut upn = [b'0'; 13];
    digits(&mut upn[1..4], usize::from(authority));
    digits(&mut upn[4..8], usize::from(establishment));
    digits(&mut upn[8..10], year.rem_euclid(100) as usize);
    upn
}

fn digits(into: &mut [u8], mut number: usize) {
    for place in into.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
