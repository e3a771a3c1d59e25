//! What the table of keys is made of.

use crate::domain::setting::Setting;

/// A table of the configuration.
#[derive(Debug)]
pub(super) struct Table {
    /// As it is written, with NAME for what a person chooses.
    pub path: &'static str,
    /// The heading in the reference file.
    pub sample: &'static str,
    pub about: &'static str,
    pub keys: Keys,
    /// What the reference file shows below it, as it stands there.
    pub more: &'static str,
}

/// The keys of one table, in groups.
pub(super) type Keys = &'static [Group];

/// Keys that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// What is said of all of them together.
    pub about: &'static str,
    pub settings: &'static [Setting],
    /// Whether the reference file shows them here.
    pub is_shown: bool,
    /// What the reference file shows below them, as it stands there.
    pub more: &'static str,
}

/// Keys with nothing beside them.
pub(super) const fn plain(settings: &'static [Setting]) -> Group {
    Group { about: "", settings, is_shown: true, more: "" }
}

/// The settings of a table.
pub(super) fn settings(keys: Keys) -> impl Iterator<Item = &'static Setting> + Clone {
    keys.iter().flat_map(|group| group.settings)
}

/// Their names.
pub(super) fn names(keys: Keys) -> impl Iterator<Item = &'static str> + Clone {
    settings(keys).map(|setting| setting.name)
}
