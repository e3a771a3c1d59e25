//! Whether a control file is what a server wrote.
//!
//! Its checksum (CRC-32C) stands right behind what it is of, and where that is depends on the
//! version.

/// PostgreSQL writes no longer control file.
pub(super) const LONGEST: u64 = 8192;
/// Where the checksum can stand: behind what all versions have, and within what is written at once.
const PLACES: std::ops::Range<usize> = 64..509;

/// Whether the checksum of some version is right. That one of arbitrary bytes is happens once in
/// forty million times.
pub(super) fn is_sound(control: &[u8]) -> bool {
    let mut crc = !0_u32;
    for (at, byte) in control.iter().enumerate().take(PLACES.end) {
        let stored = control.get(at..at + 4).filter(|_| at % 4 == 0 && at >= PLACES.start);
        if stored.is_some_and(|stored| stored == (!crc).to_le_bytes()) {
            return true;
        }
        crc = step(crc, *byte);
    }
    false
}

/// CRC-32C, bit by bit: these are few bytes.
fn step(crc: u32, byte: u8) -> u32 {
    (0..8).fold(
        crc ^ u32::from(byte),
        |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_that_is_published() {
        // The check value of CRC-32C (iSCSI), RFC 3720.
        let crc = !b"123456789".iter().fold(!0_u32, |crc, byte| step(crc, *byte));
        assert_eq!(crc, 0xe306_9283);
    }

    #[test]
    fn a_file_with_another_byte_is_damaged() {
        let mut file: Vec<u8> = (0..=255).chain(0..40).collect();
        let crc = !file.iter().fold(!0_u32, |crc, byte| step(crc, *byte));
        file.extend(crc.to_le_bytes());
        file.resize(8192, 0);
        assert!(is_sound(&file));
        for at in [0, 7, 200, 295, 297] {
            let mut other = file.clone();
            other[at] ^= 1;
            assert!(!is_sound(&other), "byte {at}");
        }
        assert!(!is_sound(&[0; 8192]) && !is_sound(&[]));
    }
}
