//! How a school's system writes its files: the same rows in many spellings.

use chrono::{Datelike, NaiveDate};

/// The spelling of one school's files.
#[derive(Clone, Copy, Default)]
pub struct Dialect {
    /// Begins with a UTF-8 byte order mark.
    pub byte_order_mark: bool,
    /// Windows-1252 instead of UTF-8.
    pub windows_1252: bool,
    /// Lines end in carriage return and line feed.
    pub crlf: bool,
    /// Dates as dd/mm/yyyy instead of yyyy-mm-dd.
    pub slashed_dates: bool,
    /// Header names in any case, with spaces and underscores.
    pub loose_headers: bool,
    /// Every field in quotes.
    pub quoted: bool,
    /// Columns in another order, and more of them than asked for.
    pub reordered: bool,
    /// A missing mark is `-` and not blank.
    pub dash_if_missing: bool,
}

impl Dialect {
    /// The dialect of a school; three schools in nine write plainly.
    pub fn of(school: usize) -> Self {
        let plain = Dialect::default();
        match school % 9 {
            1 => Dialect { byte_order_mark: true, ..plain },
            2 => Dialect { windows_1252: true, crlf: true, slashed_dates: true, dash_if_missing: true, ..plain },
            4 => Dialect { loose_headers: true, ..plain },
            5 => Dialect { quoted: true, crlf: true, dash_if_missing: true, ..plain },
            7 => Dialect { reordered: true, slashed_dates: true, ..plain },
            8 => Dialect {
                byte_order_mark: true,
                crlf: true,
                slashed_dates: true,
                loose_headers: true,
                dash_if_missing: true,
                ..plain
            },
            _ => plain,
        }
    }

    /// What ends a line.
    pub fn line_end(&self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// A date as this school writes it.
    pub fn date(&self, date: NaiveDate) -> String {
        if self.slashed_dates {
            format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
        } else {
            date.to_string()
        }
    }

    /// Appends the byte order mark, if any, and the header.
    pub fn header(&self, columns: &[&str], out: &mut Vec<u8>) {
        if self.byte_order_mark {
            out.extend_from_slice(b"\xEF\xBB\xBF");
        }
        let columns: Vec<String> =
            columns.iter().enumerate().map(|(place, name)| self.header_name(place, name)).collect();
        self.row(columns.iter().map(String::as_str), out);
    }

    fn header_name(&self, place: usize, name: &str) -> String {
        if !self.loose_headers {
            return name.to_owned();
        }
        let mut spaced = String::new();
        let mut after_small = false;
        for letter in name.chars() {
            if after_small && letter.is_uppercase() {
                spaced.push(if place.is_multiple_of(2) { '_' } else { ' ' });
            }
            after_small = letter.is_lowercase();
            spaced.push(letter);
        }
        let small = spaced.to_lowercase();
        match place % 4 {
            0 => small,
            1 => spaced[..1].to_uppercase() + &small[1..],
            2 => spaced.to_uppercase(),
            _ => small + " ",
        }
    }

    /// Appends one row.
    pub fn row<'f>(&self, fields: impl Iterator<Item = &'f str>, out: &mut Vec<u8>) {
        for (place, field) in fields.enumerate() {
            if place > 0 {
                out.push(b',');
            }
            if self.quoted {
                out.push(b'"');
            }
            if self.windows_1252 {
                windows_1252(field, out);
            } else {
                out.extend_from_slice(field.as_bytes());
            }
            if self.quoted {
                out.push(b'"');
            }
        }
        out.extend_from_slice(self.line_end());
    }
}

/// Appends text in Windows-1252; knows the letters that the name lists use.
pub fn windows_1252(text: &str, out: &mut Vec<u8>) {
    out.extend(text.chars().map(|letter| match letter {
        '’' => 0x92,
        _ => u8::try_from(u32::from(letter)).unwrap_or(b'?'),
    }));
}
