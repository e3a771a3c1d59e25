//! The long texts: what is read once, when it is needed.

/// One text.
#[derive(Debug)]
pub struct Topic {
    /// What is typed behind `help`.
    pub name: &'static str,
    /// Of the manual page.
    pub section: &'static str,
    text: &'static str,
}

/// A topic of section 7, by the name of its file.
macro_rules! topic {
    ($name:literal) => {
        Topic { name: $name, section: "7", text: include_str!(concat!($name, ".md")) }
    };
}

/// In the order in which they are listed.
pub const TOPICS: &[Topic] = &[
    topic!("install"),
    topic!("tour"),
    Topic { name: "heptad.toml", section: "5", text: include_str!("heptad.toml.md") },
    topic!("schedule"),
    topic!("alarms"),
    topic!("files"),
    topic!("create"),
    topic!("rollback"),
    topic!("instances"),
    topic!("databases"),
    topic!("plans"),
    topic!("fee"),
    topic!("hooks"),
    topic!("recovery"),
    topic!("security"),
    topic!("api"),
    topic!("limits"),
];

impl Topic {
    pub fn of(name: &str) -> Option<&'static Self> {
        // What people type, and the name of the file.
        let name = if ["config", "configuration"].contains(&name) { "heptad.toml" } else { name };
        TOPICS.iter().find(|topic| topic.name == name)
    }

    /// That of another text's link.
    pub(super) fn of_link(to: &str) -> Option<&'static Self> {
        Self::of(to.strip_suffix(".md")?)
    }

    /// The first line, without what makes it a heading.
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// As Markdown.
    pub fn source(&self) -> &'static str {
        self.text
    }

    /// What the manual page is called: a name of its own where the topic is a file's.
    pub fn page_name(&self) -> String {
        match self.section {
            "5" => self.name.into(),
            _ => format!("heptad-{}", self.name),
        }
    }
}
