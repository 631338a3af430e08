//! The register codes as small numbers, so that a school's year of marks is one flat byte array.

/// One session of one pupil: an index into [`TEXT`].
pub type Mark = u8;

macro_rules! marks {
    ($($(#[$about:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        $($(#[$about])* pub const $name: Mark = $number;)*
        /// What each mark looks like in a file; a present mark is `\` in the afternoon.
        pub const TEXT: &[&str] = &[$($text),*];
    };
}

marks! {
    /// Present; also "nothing decided yet" while a year is being filled.
    PRESENT = 0, "/";
    /// No mark was recorded.
    MISSING = 1, "";
    /// Planned closure.
    CLOSED = 2, "#";
    /// Late before the register closed.
    LATE = 3, "L";
    /// Illness.
    ILL = 4, "I";
    /// Medical or dental appointment.
    MEDICAL = 5, "M";
    /// Religious observance.
    RELIGIOUS = 6, "R";
    /// Study leave.
    STUDY = 7, "S";
    /// Mobile child.
    MOBILE = 8, "T";
    /// Suspended or excluded.
    EXCLUDED = 9, "E";
    /// Leave in exceptional circumstances.
    LEAVE = 10, "C";
    /// Leave for a performance.
    PERFORMANCE = 11, "C1";
    /// Part-time timetable.
    PART_TIME = 12, "C2";
    /// Interview.
    INTERVIEW = 13, "J1";
    /// Holiday not agreed.
    HOLIDAY = 14, "G";
    /// Absent without a reason that counts.
    UNEXPLAINED = 15, "O";
    /// Arrived after the register closed.
    VERY_LATE = 16, "U";
    /// Reason not yet known.
    NOT_YET = 17, "N";
    /// Off-site education.
    OFF_SITE = 18, "B";
    /// Visit or trip.
    VISIT = 19, "V";
    /// Sporting activity.
    SPORT = 20, "P";
    /// Work experience.
    WORK = 21, "W";
    /// Education arranged by the authority.
    ARRANGED = 22, "K";
    /// Dual registered, expected at the other school.
    DUAL = 23, "D";
    /// Not required to attend (not of compulsory school age).
    NOT_REQUIRED = 24, "X";
    /// No access arrangements.
    NO_ACCESS = 25, "Q";
    /// Transport not provided.
    NO_TRANSPORT = 26, "Y1";
    /// Part of the premises closed.
    PART_CLOSED = 27, "Y3";
    /// Site unexpectedly closed.
    SITE_CLOSED = 28, "Y4";
    /// Other unavoidable cause.
    UNAVOIDABLE = 29, "Y7";
}

/// How many different marks there are.
pub const COUNT: usize = TEXT.len();

/// Whether the mark is an absence in the statistics (authorised or not).
#[cfg(test)]
pub fn is_absence(mark: Mark) -> bool {
    (ILL..=NOT_YET).contains(&mark)
}

/// Whether the mark counts as a possible session in the statistics.
#[cfg(test)]
pub fn is_possible(mark: Mark) -> bool {
    mark == PRESENT || (LATE..=ARRANGED).contains(&mark)
}
