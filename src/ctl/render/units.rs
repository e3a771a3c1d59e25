//! Sizes and lengths of time for people.

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Three digits and a binary unit: `512 B`, `1.5 KiB`, `23.4 GiB`, `870 GiB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = 0;
    tenths = (tenths + 512) / 1024;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenth} {}", UNITS[unit])
    }
}

/// The two largest units of a length of time in seconds, its sign left out: `3 h 12 min`.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |large: u64, name: &str, small: u64, small_name: &str| match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {small_name}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(minutes, "min", if minutes < 10 { seconds % 60 } else { 0 }, "s"),
        3600..86400 => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// Its largest unit alone: `3 h`.
pub fn about(seconds: i64) -> String {
    match seconds.unsigned_abs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86400),
    }
}

/// `no snapshots`, `1 snapshot`, `2 snapshots`.
pub fn count(number: u64, thing: &str) -> String {
    count_of(number, thing, &format!("{thing}s"))
}

/// The same, where more of them are called otherwise.
pub fn count_of(number: u64, one: &str, more: &str) -> String {
    match number {
        0 => format!("no {more}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_at_most_three_digits() {
        let check = |bytes, want: &str| assert_eq!(size(bytes), want, "{bytes}");
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1.0 KiB");
        check(1536, "1.5 KiB");
        check(150 * 1024, "150 KiB");
        check(1024 * 1024 - 1, "1.0 MiB");
        check(25_125_558_681, "23.4 GiB");
        check(u64::MAX, "16.0 EiB");
    }

    #[test]
    fn lengths_of_time_show_their_two_largest_units() {
        let check = |seconds, want: &str| assert_eq!(span(seconds), want, "{seconds}");
        check(0, "0 s");
        check(59, "59 s");
        check(-60, "1 min");
        check(62, "1 min 2 s");
        check(11 * 60 + 5, "11 min");
        check(3 * 3600 + 12 * 60 + 5, "3 h 12 min");
        check(86400, "1 d");
        check(2 * 86400 + 4 * 3600, "2 d 4 h");
        check(i64::MIN, "106751991167300 d 15 h");
    }
}
