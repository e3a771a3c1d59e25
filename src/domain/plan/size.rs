//! Sizes as a person writes them: `2 GiB`, `512MB`, `1.5 TiB`, or a plain number of bytes.

use std::fmt;
use std::str::FromStr;

/// The largest size in bytes: the largest offset in a file (off_t of lseek(2)).
pub(super) const LARGEST: u64 = i64::MAX as u64;

/// A number of bytes, at least one and at most [`LARGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// Why a text is not a size. Each message brings its way out after a semicolon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    #[error(
        "{0:?} is not a valid size; write a number and a unit, such as \"40 GiB\" or \"512 MiB\""
    )]
    Form(String),
    #[error("{unit:?} is not a valid unit; write {}", known())]
    Unit { unit: String },
    #[error("{unit:?} may mean powers of 1000 or of 1024; write {unit}B or {unit}iB")]
    Ambiguous { unit: String },
    #[error("{0} is not a whole number of bytes; write it in a smaller unit")]
    Fraction(String),
    #[error("is nothing; write at least 1 byte")]
    Zero,
    #[error("is more than any disk; the largest size is 8 EiB less 1 byte")]
    TooLarge,
}

/// Units with their bytes; the first three count single bytes. IEC 80000-13 for the binary ones.
const UNITS: [(&str, u64); 13] = [
    ("B", 1),
    ("byte", 1),
    ("bytes", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
];

fn known() -> String {
    let names: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

impl FromStr for Size {
    type Err = SizeError;

    /// Spaces between number and unit may be left out, and case does not matter: there are no bits
    /// here. Decimals are taken where they make a whole number of bytes: exact, or refused.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let (number, unit) = trimmed.split_at(end.unwrap_or(trimmed.len()));
        let form = || SizeError::Form(text.chars().take(40).collect());
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || decimals.is_empty() || decimals.contains('.') {
            return Err(form());
        }
        let unit = unit_of(unit.trim_start())?;
        let bytes = exact(whole, decimals.trim_end_matches('0'), unit);
        let bytes = bytes.ok_or(SizeError::TooLarge)?;
        let bytes = bytes.ok_or_else(|| SizeError::Fraction(trimmed.chars().take(40).collect()))?;
        match bytes {
            0 => Err(SizeError::Zero),
            _ if bytes > LARGEST => Err(SizeError::TooLarge),
            _ => Ok(Self(bytes)),
        }
    }
}

/// Bytes of a unit; of none, one.
fn unit_of(text: &str) -> Result<u64, SizeError> {
    if text.is_empty() {
        return Ok(1);
    }
    if let Some((_, bytes)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*bytes);
    }
    let unit: String = text.chars().take(20).collect();
    if ["k", "m", "g", "t", "p"].iter().any(|letter| letter.eq_ignore_ascii_case(&unit)) {
        return Err(SizeError::Ambiguous { unit: unit.to_ascii_uppercase() });
    }
    Err(SizeError::Unit { unit })
}

/// `whole.decimals` units in bytes: none if that is beyond all bounds, and within that none if it
/// is no whole number.
fn exact(whole: &str, decimals: &str, unit: u64) -> Option<Option<u64>> {
    let bytes = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if decimals.is_empty() {
        return Some(Some(bytes));
    }
    // No unit has as many factors of 2 and 5 as 10 to the 25th and more.
    let Some(scale) = u32::try_from(decimals.len()).ok().filter(|places| *places < 25) else {
        return Some(None);
    };
    let (Ok(part), Some(scale)) = (decimals.parse::<u128>(), 10_u128.checked_pow(scale)) else {
        return Some(None);
    };
    // The unit is below 2 to the 51st, the part below 10 to the 25th.
    let Some(product) = part.checked_mul(u128::from(unit)) else { return Some(None) };
    if product % scale != 0 {
        return Some(None);
    }
    Some(Some(bytes.checked_add(u64::try_from(product / scale).ok()?)?))
}

impl fmt::Display for Size {
    /// Exact: it reads back as the same size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&super::binary(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        let check = |text: &str, want: u64| {
            assert_eq!(text.parse::<Size>().map(Size::bytes), Ok(want), "{text:?}");
        };
        check("1", 1);
        check("4096", 4096);
        check("512 MiB", 512 << 20);
        check("20 GB", 20_000_000_000);
        check("2GiB", 2 << 30);
        check(" 2  gib ", 2 << 30);
        check("1.5 TiB", 3 << 39);
        check("0.5 KB", 500);
        check("2.50 GB", 2_500_000_000);
        check("1.0", 1);
        check("007 B", 7);
        check("1 byte", 1);
        check("9223372036854775807", LARGEST);
        check("0.0009765625 KiB", 1);
    }

    #[test]
    fn what_is_no_size_is_refused_with_a_way_out() {
        let check = |text: &str, want: &str| {
            let said = text.parse::<Size>().unwrap_err().to_string();
            assert!(said.contains(want), "{text:?}: {said}");
            assert!(said.contains("; "), "{said}");
        };
        for text in ["", "GiB", ".5 GiB", "5. GiB", "1.2.3 GiB", "-1 GiB", "+1", "1,5 GiB", "two"] {
            let want =
                if text == "1,5 GiB" { "is not a valid unit" } else { "is not a valid size" };
            check(text, want);
        }
        check("20 G", "write GB or GiB");
        check("20m", "write MB or MiB");
        check("20 Gbit", "\"Gbit\" is not a valid unit; write B, byte");
        check("2 GiB 3 MiB", "is not a valid unit");
        check("1e9", "is not a valid unit");
        check("0", "at least 1 byte");
        check("0.0 GiB", "at least 1 byte");
        check("1.1 GiB", "1.1 GiB is not a whole number of bytes");
        check("0.5", "not a whole number");
        check("8192 PiB", "8 EiB");
        check("99999999999999999999", "8 EiB");
        check(&format!("1.{}1 GiB", "0".repeat(40)), "not a whole number");
        check(&format!("1.{} GiB", "1".repeat(24)), "not a whole number");
    }

    proptest! {
        #[test]
        fn a_size_reads_back_as_it_prints(bytes in 1..=LARGEST, shift in 0..40_u32) {
            for bytes in [bytes, (bytes >> shift << shift).max(1)] {
                let size = Size(bytes);
                prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
            }
        }

        #[test]
        fn decimals_are_exact_or_refused(
            thousandths in 1..u64::from(u32::MAX),
            place in 0..UNITS.len(),
        ) {
            let (name, unit) = UNITS[place];
            let text = format!("{}.{:03} {name}", thousandths / 1000, thousandths % 1000);
            let product = u128::from(thousandths) * u128::from(unit);
            let bytes = u64::try_from(product / 1000).ok().filter(|bytes| *bytes <= LARGEST);
            match (text.parse::<Size>(), bytes) {
                (Ok(size), Some(bytes)) => {
                    prop_assert_eq!((product % 1000, size.bytes()), (0, bytes));
                }
                (Err(SizeError::Fraction(_)), _) => prop_assert_ne!(product % 1000, 0),
                (Err(SizeError::TooLarge), want) => prop_assert_eq!(want, None),
                (got, want) => prop_assert!(false, "{text}: {got:?}, wanted {want:?}"),
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>(), odd in "[0-9.]{0,60} ?[kKmMgGtTpPiIbB]{0,4}") {
            let _ = (text.parse::<Size>(), odd.parse::<Size>());
        }
    }
}
