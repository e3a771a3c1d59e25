//! Whether this host knows by itself what is to be mounted at a place.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const TABLE: &str = "/etc/fstab";
/// Where mount units lie, made by hand, by packages or by generators.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/lib/systemd/system",
];

/// Whether `mount POINT` alone would mount it.
pub fn is_declared(point: &Path) -> bool {
    let table = std::fs::read_to_string(TABLE).unwrap_or_default();
    let unit = unit_of(point);
    names(&table, point) || UNITS.iter().any(|dir| Path::new(dir).join(&unit).exists())
}

fn names(table: &str, point: &Path) -> bool {
    let lines = table.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut points = lines.filter_map(|line| line.split_whitespace().nth(1));
    points.any(|named| Path::new(&unescaped(named)) == point)
}

/// See fstab(5).
fn unescaped(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (code, sign)| text.replace(code, sign))
}

/// What systemd calls the unit of a mount point, see systemd.unit(5).
fn unit_of(point: &Path) -> String {
    let text = OsStr::as_bytes(point.as_os_str());
    let text = text.strip_prefix(b"/").unwrap_or(text);
    let sign = |(at, byte): (usize, &u8)| match byte {
        b'/' => "-".to_owned(),
        b'.' if at > 0 => ".".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b":_".contains(byte) => char::from(*byte).into(),
        byte => format!("\\x{byte:02x}"),
    };
    text.iter().enumerate().map(sign).collect::<String>() + ".mount"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_in_the_table_and_has_the_unit_that_systemd_names() {
        let table = "# /dev/a /srv/old btrfs\n/dev/a /srv/www btrfs subvol=@ 0 0\n\
                     UUID=b /srv/my\\040site btrfs\n\nbroken\n";
        let check = |point: &str, want: bool, unit: &str| {
            assert_eq!(names(table, Path::new(point)), want, "{point}");
            assert_eq!(unit_of(Path::new(point)), unit);
        };
        check("/srv/www", true, "srv-www.mount");
        check("/srv/my site", true, "srv-my\\x20site.mount");
        check("/srv/old", false, "srv-old.mount");
        check("/srv/a-b", false, "srv-a\\x2db.mount");
    }
}
