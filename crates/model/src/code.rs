//! Register codes (SI 2024/208 regulation 10) and their classes, read from
//! `sql/reference/attendance_code.csv`: the one place where a code's meaning stands.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Deserialize;

use crate::line::BLANK;

/// One code as the reference table states it.
#[derive(Clone, Debug, Deserialize)]
pub struct Code {
    /// The register code, one to three characters.
    pub code: String,
    /// The one character that stands for it in a line.
    pub letter: char,
    /// `present`, `educational`, `authorised`, `unauthorised`, `not_possible` or `administrative`
    /// (DfE's own grouping, `domain.md` 1.1).
    pub class: String,
    /// Retired in August 2024; still accepted, with a warning, under its old meaning.
    pub legacy: bool,
    /// Says that the child was seen that session.
    pub seen: bool,
    /// Makes its session an open one for the school: every code but `#` and `Z`.
    pub opens: bool,
    /// First day on which the code may be used; none: always.
    pub valid_from: Option<NaiveDate>,
    /// Last day on which the code may be used; none: still.
    pub valid_to: Option<NaiveDate>,
    /// What it means, in the regulation's words as schools know them.
    pub description: String,
}

/// All codes, looked up by what a file holds and by the letter a line holds.
#[derive(Clone, Debug)]
pub struct CodeTable {
    codes: Vec<Code>,
    by_code: HashMap<String, usize>,
    by_letter: Vec<Option<usize>>,
}

/// The reference table is not fit for use.
#[derive(Debug, thiserror::Error)]
pub enum CodeTableError {
    /// Not readable as CSV with the columns of [`Code`].
    #[error("attendance_code.csv: {0}")]
    Csv(#[from] csv::Error),
    /// Two codes share a letter or a name, or a letter is not one printable ASCII character.
    #[error("attendance_code.csv: `{0}` repeats a code or a letter, or its letter cannot stand in a line")]
    Clash(String),
}

impl CodeTable {
    /// Reads the table's text.
    pub fn parse(text: &str) -> Result<Self, CodeTableError> {
        let mut codes = Vec::new();
        let mut by_code = HashMap::new();
        let mut by_letter = vec![None; 128];
        for row in csv::Reader::from_reader(text.as_bytes()).deserialize::<Code>() {
            let code = row?;
            let letter = code.letter as usize;
            let usable = code.letter.is_ascii_graphic() && code.letter as u8 != BLANK;
            if !usable || by_letter[letter].is_some() || by_code.contains_key(&code.code) {
                return Err(CodeTableError::Clash(code.code));
            }
            by_letter[letter] = Some(codes.len());
            by_code.insert(code.code.clone(), codes.len());
            codes.push(code);
        }
        Ok(Self { codes, by_code, by_letter })
    }

    /// The code with this name.
    pub fn code(&self, name: &str) -> Option<&Code> {
        self.by_code.get(name).map(|i| &self.codes[*i])
    }

    /// The code that stands in a line as this letter.
    pub fn letter(&self, letter: u8) -> Option<&Code> {
        self.by_letter.get(letter as usize).copied().flatten().map(|i| &self.codes[i])
    }

    /// All codes in the order of the reference table.
    pub fn iter(&self) -> impl Iterator<Item = &Code> {
        self.codes.iter()
    }

    /// The letters of a set: a class (`authorised`), a measure that sums classes (`possible`,
    /// `attended`, `absent`, `late`, `recorded`, `opening`, `seen`), or the code letters themselves
    /// after `codes:` (`codes:G N O U`). None where the name means nothing.
    pub fn set(&self, name: &str) -> Option<[bool; 128]> {
        let listed: Option<Vec<&str>> = name.strip_prefix("codes:").map(|l| l.split_whitespace().collect());
        let mut set = [false; 128];
        let mut known = matches!(name, "recorded" | "opening" | "seen");
        if let Some(listed) = &listed {
            known = listed.iter().all(|l| self.by_code.contains_key(*l));
        }
        for code in &self.codes {
            let class = code.class.as_str();
            let inside = match (name, &listed) {
                (_, Some(listed)) => listed.contains(&code.code.as_str()),
                ("recorded", _) => true,
                ("opening", _) => code.opens,
                ("seen", _) => code.seen,
                ("possible", _) => matches!(class, "present" | "educational" | "authorised" | "unauthorised"),
                ("attended", _) => matches!(class, "present" | "educational"),
                ("absent", _) => matches!(class, "authorised" | "unauthorised"),
                ("late", _) => matches!(code.code.as_str(), "L" | "U"),
                (class_name, _) => class == class_name,
            };
            set[code.letter as usize] = inside;
            // A list is known when all its codes are: one that is misspelt must not count as nothing.
            known |= inside && listed.is_none();
        }
        known.then_some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> CodeTable {
        CodeTable::parse(include_str!("../../../sql/reference/attendance_code.csv")).unwrap()
    }

    fn members(name: &str) -> String {
        let codes = table();
        let set = codes.set(name).unwrap();
        codes.iter().filter(|c| set[c.letter as usize]).map(|c| c.code.clone()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn classes_are_the_ones_the_dfe_publishes() {
        assert_eq!(members("attended"), "/ \\ L B K P V W J");
        assert_eq!(members("authorised"), "C C1 C2 E I J1 M R S T H F I01 I02");
        assert_eq!(members("unauthorised"), "G N O U");
        assert_eq!(members("late"), "L U");
        assert_eq!(members("seen"), "/ \\ L B K P V W U");
        let closed: Vec<&str> = vec!["#", "Z"];
        let codes = table();
        let opening = codes.set("opening").unwrap();
        assert_eq!(codes.iter().filter(|c| !opening[c.letter as usize]).map(|c| &c.code).collect::<Vec<_>>(), closed);
        assert_eq!(members("not_possible"), "D Q X Y Y1 Y2 Y3 Y4 Y5 Y6 Y7 X00 X01 X02 X03 X04 X05 X06 X07");
        assert_eq!(members("codes:G N O"), "G N O");
        assert!(table().set("no such class").is_none());
        assert!(table().set("codes:QQ").is_none());
        assert!(table().set("codes:G N QQ").is_none());
    }

    #[test]
    fn a_table_in_which_two_codes_share_a_letter_is_refused() {
        let head = "code,letter,class,legacy,seen,opens,valid_from,valid_to,description\n";
        let text = format!("{head}A,A,present,false,true,true,,,x\nB,A,present,false,true,true,,,x\n");
        assert!(matches!(CodeTable::parse(&text), Err(CodeTableError::Clash(_))));
    }
}
