//! The words of the domain: identifiers, sessions, register codes, the school year, problems, and the
//! two times of every figure. No IO, no async, no clock: everything here is a value.

pub mod academic_year;
pub mod as_of;
pub mod code;
pub mod id;
pub mod line;
pub mod problem;
pub mod spelling;

pub use academic_year::AcademicYear;
pub use as_of::{AsOf, known_at};
pub use code::{Code, CodeTable};
pub use id::{PupilKey, Upn, UpnFault, Urn};
pub use line::{BLANK, Line, SESSIONS_A_WEEK, Session, monday_of};
pub use problem::{FieldRules, Outcome, Problem, Rule};
pub use spelling::distance;
