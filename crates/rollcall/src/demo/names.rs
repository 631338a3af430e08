//! Names of schools, people and places that sound right and are plainly made up.

use rand::Rng;

use super::propensity::Phase;

const PLACES: [&str; 40] = [
    "Amber", "Ash", "Bramble", "Brindle", "Candle", "Clover", "Copper", "Cotter", "Damson", "Elder", "Fallow",
    "Fennel", "Finch", "Flint", "Gorse", "Harrow", "Hazel", "Heron", "Juniper", "Kestrel", "Lark", "Linden", "Marl",
    "Mallow", "Nettle", "Oaken", "Otter", "Pebble", "Plover", "Quince", "Rowan", "Russet", "Sallow", "Sorrel", "Tansy",
    "Teasel", "Thistle", "Umber", "Willow", "Yarrow",
];

const ENDINGS: [&str; 24] = [
    "bourne", "bridge", "brook", "combe", "cott", "croft", "dale", "dean", "don", "field", "ford", "gate", "ham",
    "hurst", "leigh", "mere", "moor", "ridge", "stead", "stow", "thorpe", "well", "wick", "worth",
];

const PRIMARY_KINDS: [&str; 8] = [
    "Primary School",
    "Community Primary School",
    "Church of England Primary School",
    "Primary School and Nursery",
    "St Oswin’s Church of England Primary School",
    "Park Primary School",
    "St Hild’s Catholic Primary School",
    "Green Primary School",
];
const SECONDARY_KINDS: [&str; 5] =
    ["School", "High School", "Community College", "School and Sixth Form", "St Cedd’s Catholic School"];
const SPECIAL_KINDS: [&str; 3] = ["House School", "Lodge School", "View School"];
const ALTERNATIVE_KINDS: [&str; 3] = ["Centre", "Education Centre", "Pupil Referral Unit"];

/// The name of the school at `place` among its phase; different for the first 960 of a phase.
pub fn school(phase: Phase, place: usize, academy: bool, seed: u64) -> String {
    let combinations = PLACES.len() * ENDINGS.len();
    // A stride without a common factor with 960 visits every combination once.
    let pick = (place * 413 + seed as usize % combinations + 251 * phase as usize) % combinations;
    let (start, end) = (PLACES[pick / ENDINGS.len()], ENDINGS[pick % ENDINGS.len()]);
    let kinds: &[&str] = match phase {
        Phase::Primary => &PRIMARY_KINDS,
        Phase::Secondary => &SECONDARY_KINDS,
        Phase::Special => &SPECIAL_KINDS,
        Phase::Alternative => &ALTERNATIVE_KINDS,
    };
    let kind = kinds[place % kinds.len()];
    if academy && phase != Phase::Alternative {
        let kind = kind.replace("Community College", "Academy");
        let kind = if kind == "School" { "Academy" } else { &kind };
        format!("{start}{end} {kind}")
    } else {
        format!("{start}{end} {kind}")
    }
}

/// The name of a trust.
pub fn trust(number: usize) -> String {
    let (start, end) = (PLACES[number * 7 % 40], ENDINGS[(number * 5 + number / 40) % 24]);
    format!("The {start}{end} Learning Trust")
}

const FORENAMES: [&str; 64] = [
    "Ada", "Aisha", "Alba", "Alfie", "Amelia", "Anaïs", "Arlo", "Arun", "Aria", "Bea", "Ben", "Björn", "Callum",
    "Chloë", "Cleo", "Dan", "Daisy", "Eda", "Elijah", "Ella", "Emil", "Esme", "Ezra", "Faith", "Finn", "Freya",
    "George", "Hana", "Harvey", "Ibrahim", "Ines", "Iris", "Jago", "Jude", "Kai", "Kezia", "Kofi", "Lena", "Leo",
    "Lila", "Luca", "Maja", "Maya", "Milo", "Musa", "Nell", "Niamh", "Noor", "Omar", "Otis", "Pia", "Priya", "René",
    "Rosa", "Rowan", "Seán", "Sofia", "Tariq", "Tess", "Theo", "Una", "Yusuf", "Zara", "Zoë",
];

const SURNAME_STARTS: [&str; 36] = [
    "Alder",
    "Apple",
    "Barley",
    "Beck",
    "Birdle",
    "Black",
    "Bright",
    "Brook",
    "Burr",
    "Cobble",
    "Corn",
    "Crab",
    "Drift",
    "Dun",
    "Fair",
    "Fern",
    "Glim",
    "Green",
    "Hather",
    "Holly",
    "Ivy",
    "Kettle",
    "Lavender",
    "Moss",
    "O’Brack",
    "Pepper",
    "Pond",
    "Quick",
    "Rush",
    "Silver",
    "Sparrow",
    "Thimble",
    "Tumble",
    "Winter",
    "Wood",
    "Zuñi",
];

const SURNAME_ENDS: [&str; 28] = [
    "acre", "bank", "bottom", "buckle", "by", "cap", "dew", "drop", "foot", "gill", "ham", "hatch", "hollow", "kin",
    "lock", "low", "man", "penny", "rick", "shaw", "side", "smith", "spoon", "thwaite", "tree", "water", "whistle",
    "win",
];

/// A person's name as places in the word lists, small enough to keep by the hundred thousand.
#[derive(Clone, Copy)]
pub struct Person {
    forename: u8,
    start: u8,
    end: u8,
}

impl Person {
    /// Any person.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Person {
            forename: rng.random_range(0..FORENAMES.len()) as u8,
            start: rng.random_range(0..SURNAME_STARTS.len()) as u8,
            end: rng.random_range(0..SURNAME_ENDS.len()) as u8,
        }
    }

    /// The forename.
    pub fn forename(self) -> &'static str {
        FORENAMES[usize::from(self.forename)]
    }

    /// The surname.
    pub fn surname(self) -> String {
        let start = SURNAME_STARTS[usize::from(self.start)];
        format!("{start}{}", SURNAME_ENDS[usize::from(self.end)])
    }
}

/// A postcode in an area (ZZ) that the Royal Mail does not use; `sector` keeps a school's pupils together.
pub fn postcode(sector: usize, unit: u16) -> String {
    const LETTERS: &[u8; 20] = b"ABDEFGHJLNPQRSTUWXYZ";
    let unit = usize::from(unit);
    let letter = |n: usize| char::from(LETTERS[n % 20]);
    format!("ZZ{} {}{}{}", 1 + sector % 98, unit % 9 + 1, letter(unit / 9), letter(unit / 180))
}

/// Ethnicity codes with how many in 1,000 pupils have them, most common first.
pub const ETHNICITIES: [(&str, u32); 18] = [
    ("WBRI", 640),
    ("WOTW", 70),
    ("APKN", 45),
    ("AIND", 38),
    ("BAFR", 45),
    ("MOTH", 24),
    ("AOTH", 22),
    ("OOTH", 22),
    ("ABAN", 18),
    ("MWAS", 16),
    ("MWBC", 15),
    ("BCRB", 10),
    ("MWBA", 10),
    ("CHNE", 8),
    ("BOTH", 7),
    ("WIRI", 4),
    ("WIRT", 2),
    ("WROM", 4),
];
