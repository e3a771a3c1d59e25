//! "Did you mean".

/// The candidate that was probably meant: at most a third of it is different.
pub fn similar<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let distance = |candidate: &&str| {
        let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
        let longest = wanted.chars().count().max(candidate.chars().count());
        (distance * 3 <= longest).then_some(distance)
    };
    // A long text is nobody's slip of the finger, and dear to compare.
    let short = wanted.len() <= 300;
    let ranked = candidates.into_iter().filter(|_| short);
    let ranked = ranked.filter_map(|candidate| Some((distance(&candidate)?, candidate)));
    ranked.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_guessed_and_another_word_is_not() {
        let check = |wanted: &str, want: Option<&str>| {
            assert_eq!(similar(wanted, ["web-1", "web-server", "db"]), want, "{wanted}");
        };
        check("wbe-1", Some("web-1"));
        check("WEB-1", Some("web-1"));
        check("webserver", Some("web-server"));
        check("mail", None);
        check("", None);
        check(&"x".repeat(100_000), None);
    }
}
