//! "Did you mean": what a person probably meant. Whoever may ask at all may ask with the longest
//! name, over and over; so what one question costs is bounded whatever it is and however much there
//! is to compare it with.

/// A longer text is nobody's slip of the finger.
const LONGEST: usize = 128;

/// At most so many slips.
const SLIPS: usize = 3;

/// At most so many candidates are looked at.
const CANDIDATES: usize = 5_000;

/// The candidate that was probably meant: three slips at most, and at most a third of it.
pub fn similar<S: AsRef<str>>(wanted: &str, candidates: impl IntoIterator<Item = S>) -> Option<S> {
    // Enough of it to see that it is too long.
    let wanted: Vec<char> = folded(wanted).take(LONGEST + 1).collect();
    if wanted.len() > LONGEST {
        return None;
    }
    let ranked = candidates.into_iter().take(CANDIDATES).filter_map(|candidate| {
        let other: Vec<char> = folded(candidate.as_ref()).take(LONGEST + 1).collect();
        let most = SLIPS.min(wanted.len().max(other.len()) / 3);
        Some((distance(&wanted, &other, most)?, candidate))
    });
    ranked.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// How many characters were left out, added, mistaken or exchanged with their neighbour, if at most
/// so many. Looks only near the diagonal, where so few slips can lead.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let far = most + 1;
    let mut before = vec![far; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).map(|place| place.min(far)).collect();
    for (row, left) in a.iter().enumerate() {
        let mut next = vec![far; b.len() + 1];
        if row < most {
            next[0] = row + 1;
        }
        let band = row.saturating_sub(most)..(row + most + 1).min(b.len());
        for column in band {
            let same = *left == b[column];
            let mut slips = last[column] + usize::from(!same);
            slips = slips.min(last[column + 1] + 1).min(next[column] + 1);
            let exchanged =
                row > 0 && column > 0 && *left == b[column - 1] && a[row - 1] == b[column];
            if exchanged {
                slips = slips.min(before[column - 1] + 1);
            }
            next[column + 1] = slips.min(far);
        }
        if next.iter().all(|slips| *slips == far) {
            return None;
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().filter(|slips| *slips <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_slip_of_the_finger_is_guessed_and_another_word_is_not() {
        let check = |wanted: &str, want: Option<&str>| {
            assert_eq!(similar(wanted, ["web-1", "web-server", "db"]), want, "{wanted}");
        };
        check("wbe-1", Some("web-1"));
        check("WEB-1", Some("web-1"));
        check("web", None);
        check("webserver", Some("web-server"));
        check("bd", None);
        check("mail", None);
        check("", None);
        check(&"x".repeat(100_000), None);
    }

    #[test]
    fn near_the_diagonal_the_distance_is_what_it_is_everywhere() {
        let words = ["", "a", "ab", "ba", "abc", "acb", "abcdef", "badcfe", "xabcde", "abcdefghi"];
        for (a, b) in words.iter().flat_map(|a| words.iter().map(move |b| (*a, *b))) {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let want = Some(strsim::osa_distance(a, b)).filter(|slips| *slips <= 3);
            assert_eq!(distance(&chars(a), &chars(b), 3), want, "{a} {b}");
        }
    }

    #[test]
    fn what_a_question_costs_does_not_grow_with_the_lengths_and_the_candidates() {
        let looked_at = Cell::new(0_usize);
        let endless = std::iter::repeat_with(|| {
            looked_at.set(looked_at.get() + 1);
            "y".repeat(100_000)
        });
        assert_eq!(similar(&"x".repeat(LONGEST), endless), None);
        assert_eq!(looked_at.get(), CANDIDATES);
        looked_at.set(0);
        let endless = std::iter::repeat_with(|| looked_at.set(looked_at.get() + 1)).map(|()| "y");
        assert_eq!(similar(&"x".repeat(LONGEST + 1), endless), None);
        assert_eq!(looked_at.get(), 0);
    }
}
