//! The word that everybody types first, and which means three things.

/// What to type instead, with the resource or the snapshot that was named.
pub fn restore(named: Option<&str>) -> Vec<String> {
    let (resource, snapshot) = match named {
        // A manual snapshot's name says nothing of its resource, and looks like one.
        Some(name) if name.contains('@') => {
            (name.split('@').next().unwrap_or(name).to_owned(), name.to_owned())
        }
        Some(name) => (name.to_owned(), format!("{name}@latest")),
        None => ("RESOURCE".into(), "SNAPSHOT".into()),
    };
    let list =
        if named.is_some() { format!("heptactl list {resource}") } else { "heptactl list".into() };
    vec![
        "some files, out of a snapshot:".into(),
        format!("  heptactl browse {snapshot}"),
        format!("  heptactl get {snapshot} PATH -o OUT"),
        "all of it, as something new beside the original:".into(),
        format!("  heptactl create NEW --from {snapshot}"),
        "all of it, in its own place; what is there now is saved before:".into(),
        format!("  heptactl rollback {resource} --to {snapshot}"),
        "a snapshot that was deleted, out of the trash:".into(),
        "  heptactl undelete SNAPSHOT".into(),
        format!("`{list}` shows the snapshots that there are"),
    ]
}
