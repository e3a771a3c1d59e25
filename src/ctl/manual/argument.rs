//! What arguments are that many commands have.

/// The help of an argument that has none of its own.
pub(crate) fn argument(id: &str) -> Option<&'static str> {
    Some(match id {
        "resource" => "Name of a resource, as `heptactl status` shows it",
        "snapshot" | "snapshots" | "from" | "to" => {
            "Name of a snapshot, as `heptactl list` shows it; RESOURCE@latest is the newest automatic \
             one"
        }
        "old" => "The older snapshot",
        "new" => "The newer snapshot",
        "dir" => "The directory",
        "disk" => "Name of a disk, as `heptactl status` shows it",
        "instance" => "Name of an instance, as `heptactl status` shows it",
        "id" => "Number of the operation, as `heptactl operations` shows it",
        "name" => "A resource or a snapshot; for `keep`, the new name",
        "time" => "Time of day",
        "shell" => "Which shell",
        "out" => "Where to write it",
        _ => return None,
    })
}
