//! What a key of the configuration is. One description of it serves the checker, the reference
//! file, the manual page and the schema that editors use.

/// One key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    pub name: &'static str,
    pub shape: Shape,
    /// For a person, in whole sentences.
    pub about: &'static str,
    /// What holds where it is left out, as it would be written; empty: told in `about`.
    pub default: &'static str,
    /// As it may be written.
    pub example: &'static str,
    /// It has to stand in its table, in the same file.
    pub required: bool,
    /// The key that it takes the place of: a table has one of the two.
    pub instead_of: Option<&'static str>,
}

impl Setting {
    pub const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, about, default: "", example: "", required: false, instead_of: None }
    }

    pub const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    pub const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub const fn instead_of(self, other: &'static str) -> Self {
        Self { instead_of: Some(other), ..self }
    }

    /// How it is shown: an example where there is one, else what holds anyway.
    pub fn shown(&self) -> &'static str {
        if self.example.is_empty() { self.default } else { self.example }
    }

    /// What has to be written, with an example where the shape alone does not tell.
    pub fn wanted(&self) -> String {
        match self.shape {
            Shape::Time | Shape::Duration | Shape::Size => {
                format!("{}, such as {}", self.shape.wanted(), self.shown())
            }
            _ => self.shape.wanted(),
        }
    }
}

/// What a value has to look like. Ranges have both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Any text, or one that its reader looks at closer.
    Text,
    /// From / on.
    Path,
    Flag,
    Whole(u32, u32),
    Seconds(u32, u32),
    Decimal(f64, f64),
    Words(&'static [&'static str]),
    /// Up to so many.
    Texts(u32),
    /// `06:00`.
    Time,
    /// `1h30min`.
    Duration,
    /// `2 GiB`, or bytes.
    Size,
    /// Names and texts, chosen by a person.
    Pairs,
    /// A table whose keys are somebody else's.
    Table,
    /// Up to so many tables with these keys.
    Tables(u32, &'static [Setting]),
}

impl Shape {
    /// What has to be written.
    pub fn wanted(&self) -> String {
        match self {
            Self::Text => "a text in quotes".into(),
            Self::Path => "an absolute path in quotes".into(),
            Self::Flag => "true or false".into(),
            Self::Whole(from, to) => format!("a whole number from {from} to {to}"),
            Self::Seconds(from, to) => format!("a number of seconds from {from} to {to}"),
            Self::Decimal(from, to) => format!("a number from {from} to {to}"),
            Self::Words(words) => format!("one of {}", words.join(", ")),
            Self::Texts(_) => "a list of texts".into(),
            Self::Time => "a time in quotes".into(),
            Self::Duration => "a duration in quotes".into(),
            Self::Size => "a size in quotes".into(),
            Self::Pairs | Self::Table => "a table, { key = value }".into(),
            Self::Tables(..) => "a list of tables".into(),
        }
    }

    /// The least and the most that a whole number may be.
    pub fn range(&self) -> (u32, u32) {
        match self {
            Self::Whole(from, to) | Self::Seconds(from, to) => (*from, *to),
            _ => (0, u32::MAX),
        }
    }
}
