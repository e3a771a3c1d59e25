//! The word that everybody types first, and which means three things.

/// What to type instead, with the resource and the snapshot that are meant.
pub(crate) fn restore(resource: &str, snapshot: &str) -> Vec<String> {
    let list = match resource {
        "RESOURCE" => "heptactl list".into(),
        resource => format!("heptactl list {resource}"),
    };
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
