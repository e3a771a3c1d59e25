//! A set of dates as runs of days: years of daily slots in a few bytes.

use jiff::civil::Date;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// First and last day of each run; runs neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days(BTreeMap<Date, Date>);

impl Days {
    pub fn contains(&self, day: Date) -> bool {
        self.0.range(..=day).next_back().is_some_and(|(_, last)| day <= *last)
    }

    pub fn insert(&mut self, day: Date) {
        if self.contains(day) {
            return;
        }
        let (mut first, mut last) = (day, day);
        let before = self.0.range(..day).next_back().map(|(first, last)| (*first, *last));
        if let Some((start, end)) = before
            && end.tomorrow().ok() == Some(day)
        {
            self.0.remove(&start);
            first = start;
        }
        if let Some(end) = day.tomorrow().ok().and_then(|next| self.0.remove(&next)) {
            last = end;
        }
        self.0.insert(first, last);
    }
}

impl fmt::Display for Days {
    /// `2026-01-01..2026-01-09 2026-02-01..2026-02-01`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (first, last)) in self.0.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            write!(f, "{space}{first}..{last}")?;
        }
        Ok(())
    }
}

/// A text that is no list of runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a run of days (2026-01-01..2026-01-09)")]
pub struct DaysError(String);

impl FromStr for Days {
    type Err = DaysError;

    fn from_str(text: &str) -> Result<Self, DaysError> {
        let run = |run: &str| -> Option<(Date, Date)> {
            let (first, last) = run.split_once("..")?;
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some((first, last))
        };
        let runs = text.split(' ').filter(|text| !text.is_empty());
        let runs = runs.map(|text| run(text).ok_or_else(|| DaysError(text.into())));
        Ok(Self(runs.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_reads_back_as_it_prints(
            numbers in prop::collection::vec(0i64..60, 0..60),
        ) {
            let day = |n: i64| jiff::civil::date(2026, 1, 1).checked_add(n.days()).unwrap();
            let mut days = Days::default();
            numbers.iter().for_each(|n| days.insert(day(*n)));
            let set: BTreeSet<i64> = numbers.into_iter().collect();
            for n in 0..60 {
                prop_assert_eq!(days.contains(day(n)), set.contains(&n));
            }
            let runs = (0..60).filter(|n| set.contains(n) && !set.contains(&(n - 1))).count();
            prop_assert_eq!(days.0.len(), runs);
            prop_assert_eq!(&days.to_string().parse::<Days>().unwrap(), &days);
        }
    }
}
