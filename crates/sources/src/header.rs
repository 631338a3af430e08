//! Headers: names matched without case, spaces or underscores, columns found by name, the kind of a file
//! known by its header alone.

use std::collections::BTreeMap;

use crate::kind::Kind;

/// A header name as it is compared: letters and digits only, in lower case.
pub fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where a file's columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind of file.
    pub kind: Kind,
    /// For each column of the kind, the field's index in a row.
    pub columns: Vec<Option<usize>>,
    /// Fields a row should have.
    pub width: usize,
    /// Folded names as the file has them, to know the header again where it is repeated.
    pub names: Vec<String>,
    /// Names that are nearly those of columns the file may have and has not, with these.
    pub misspelt: Vec<(String, &'static str)>,
}

/// Why a first row is not a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// No kind fits it.
    Unknown(String),
    /// One kind nearly fits: these columns are missing.
    Missing(Kind, Vec<&'static str>),
    /// These columns all have this name, as they are or as they are mapped: nobody can say which is meant.
    Twice(Kind, &'static str, Vec<String>),
}

/// Reads a first row. `renames` maps other systems' folded header names to ours.
pub fn read(fields: &[String], renames: &BTreeMap<String, String>) -> Result<Header, HeaderFault> {
    let written: Vec<String> = fields.iter().map(|field| folded(field)).collect();
    let names: Vec<String> =
        written.iter().map(|name| renames.get(name).map_or_else(|| name.clone(), |to| folded(to))).collect();
    let mut nearest: Option<(usize, Kind, Vec<&'static str>)> = None;
    for kind in Kind::ALL {
        let place = |column: &str| names.iter().position(|n| *n == folded(column));
        let missing: Vec<&'static str> =
            kind.columns().iter().filter(|c| c.required && place(c.name).is_none()).map(|c| c.name).collect();
        let required = kind.columns().iter().filter(|c| c.required).count();
        if missing.is_empty() {
            let times = |column: &str| names.iter().filter(|n| **n == folded(column)).count();
            if let Some(twice) = kind.columns().iter().find(|c| 1 < times(c.name)) {
                let is_it = |(name, _): &(&String, &String)| **name == folded(twice.name);
                let alike = names.iter().zip(fields).filter(is_it).map(|(_, field)| field.trim().to_owned());
                return Err(HeaderFault::Twice(kind, twice.name, alike.collect()));
            }
            let columns = kind.columns().iter().map(|c| place(c.name)).collect();
            let is_known = |name: &str| kind.columns().iter().any(|c| folded(c.name) == name);
            let absent = || kind.columns().iter().map(|c| c.name).filter(|column| place(column).is_none());
            let meant = |name: &String| absent().find(|column| is_slip(name, &folded(column)));
            let unknown = names.iter().zip(fields).filter(|(name, _)| !is_known(name));
            let misspelt = unknown.filter_map(|(name, field)| Some((field.trim().to_owned(), meant(name)?))).collect();
            return Ok(Header { kind, columns, width: fields.len(), names: written, misspelt });
        }
        // More than half of the required columns there: most likely meant as this kind. A column of no kind's may be a
        // missing one under another system's name; one more than are missing is of another kind.
        let of_none = names.iter().filter(|name| !kind.columns().iter().any(|c| folded(c.name) == **name)).count();
        let differs = missing.len().max(of_none);
        if missing.len() * 2 < required && nearest.as_ref().is_none_or(|(n, ..)| differs < *n) {
            nearest = Some((differs, kind, missing));
        }
    }
    match nearest {
        Some((_, kind, missing)) => Err(HeaderFault::Missing(kind, missing)),
        None => {
            // A first row of which two names are known is a header; any other may be a child's row.
            let is_known =
                |name: &&String| Kind::ALL.iter().any(|k| k.columns().iter().any(|c| folded(c.name) == **name));
            let is_header = 2 <= names.iter().filter(is_known).count();
            let is_meant = |name: &String| {
                Kind::ALL
                    .iter()
                    .flat_map(|k| k.columns())
                    .any(|c| folded(c.name) == *name || is_slip(name, &folded(c.name)))
            };
            // A column may be a child's, too.
            let show = |(field, name): (&String, &String)| match is_header && is_meant(name) {
                true => field.chars().take(24).collect(),
                false => model::id::shape_of(field.trim().as_bytes()),
            };
            Err(HeaderFault::Unknown(fields.iter().zip(&names).take(12).map(show).collect::<Vec<_>>().join(", ")))
        }
    }
}

/// Whether one folded name is another with a slip of a letter or two.
fn is_slip(name: &str, of: &str) -> bool {
    4 < of.len() && model::distance(name, of) <= of.len() / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Header, HeaderFault> {
        read(&text.split(',').map(str::to_owned).collect::<Vec<_>>(), &BTreeMap::new())
    }

    #[test]
    fn kinds_are_known_by_their_header() {
        assert_eq!(of("urn,Upn,DATE,session ,mark").unwrap().kind, Kind::Marks);
        assert_eq!(
            of("Mark,Session,extra,Date,U_P_N,URN").unwrap().columns[..5],
            [Some(5), Some(4), Some(3), Some(1), Some(0)]
        );
        assert_eq!(of("URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate").unwrap().kind, Kind::Roll);
        assert_eq!(of("URN,LinkURN,LinkName,LinkType,LinkEstablishedDate").unwrap().kind, Kind::Links);
        assert_eq!(of("URN,UPN,Date,Session"), Err(HeaderFault::Missing(Kind::Marks, vec!["Mark"])));
        let missing = |columns: &[&'static str]| Err(HeaderFault::Missing(Kind::Marks, columns.to_vec()));
        assert_eq!(of("URN,Pupil Number,Date,Session,Att Code"), missing(&["UPN", "Mark"]));
        assert!(matches!(of("name,email"), Err(HeaderFault::Unknown(_))));
        assert_eq!(
            of("URN,UPN,Date,Session,Mark,mark "),
            Err(HeaderFault::Twice(Kind::Marks, "Mark", vec!["Mark".to_owned(), "mark".to_owned()]))
        );
    }

    #[test]
    fn a_slip_of_the_pen_is_told_from_another_column() {
        let header =
            of("URN,UPN,Surname,Forename,DOB,Sex,NCYear,EntryDate,Leaving_Dat,LeavingReason,Ethnicty,Form,SENs");
        let misspelt = [("Leaving_Dat", "LeavingDate"), ("Ethnicty", "Ethnicity")];
        assert_eq!(header.unwrap().misspelt, misspelt.map(|(name, column)| (name.to_owned(), column)));
    }

    #[test]
    fn other_systems_names_are_mapped() {
        let renames =
            BTreeMap::from([("schoolurn".to_owned(), "URN".to_owned()), ("rawmark".to_owned(), "Mark".to_owned())]);
        let fields: Vec<String> = "School URN,UPN,Date,Session,Raw Mark".split(',').map(str::to_owned).collect();
        let header = read(&fields, &renames).unwrap();
        assert_eq!((header.kind, header.names[0].as_str()), (Kind::Marks, "schoolurn"));
    }
}
