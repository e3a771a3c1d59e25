//! FNV-1a, 64 bits: what is noted with it reads the same on every host and after every update. It
//! finds accidents; nobody is kept from forging it.

/// What a hash begins with.
pub const START: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on from `hash` with more bytes.
pub fn fnv(hash: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(hash, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_is_published() {
        let check = |text: &str, want: u64| assert_eq!(fnv(START, text.bytes()), want, "{text:?}");
        // From the test vectors of the authors, http://www.isthe.com/chongo/src/fnv/test_fnv.c.
        check("", 0xcbf2_9ce4_8422_2325);
        check("a", 0xaf63_dc4c_8601_ec8c);
        check("foobar", 0x8594_4171_f739_67e8);
    }
}
