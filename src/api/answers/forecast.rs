//! The forecast.

use super::View;
use super::resource::wire_why;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::forecast::{self, Forecast, Take};
use jiff::{SignedDuration, Timestamp};

/// After so many lines an answer is long enough.
const LISTED: usize = 4_000;

impl View<'_> {
    /// Of one after the other, until there are so many or so much is to come.
    pub fn forecasts<'a>(
        &self,
        accounts: impl Iterator<Item = &'a Account>,
        days: u32,
        limit: usize,
    ) -> wire::Forecasts {
        let now = self.moment.now;
        let span = SignedDuration::from_hours(24 * i64::from(days));
        let until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        let mut accounts = accounts.peekable();
        let mut forecasts: Vec<wire::Forecast> = Vec::new();
        let mut listed = 0;
        while let Some(account) = accounts.next_if(|_| forecasts.len() < limit && listed < LISTED) {
            let forecast = self.foretell(account, until);
            listed += forecast.takes.len() + forecast.stays.len();
            forecasts.push(forecast);
        }
        let more = accounts.peek().is_some();
        let next = forecasts.last().filter(|_| more).map(|last| last.resource.clone());
        wire::Forecasts { now, days, forecasts, next }
    }

    fn foretell(&self, account: &Account, until: Timestamp) -> wire::Forecast {
        let pinned = |seq| self.is_pinned(account, seq);
        let Forecast { waits, idle, owed, takes, cut_short, stays } =
            forecast::forecast(account, &self.moment, until, &pinned);
        let hold = |stay: forecast::Stay| wire::Hold {
            snapshot: stay.label,
            reason: stay.reason,
            exists: stay.exists,
        };
        wire::Forecast {
            resource: account.name().to_string(),
            until,
            waits,
            idle,
            owed: owed.into_iter().map(wire_drop).collect(),
            takes: takes.into_iter().map(wire_take).collect(),
            cut_short,
            stays: stays.into_iter().map(hold).collect(),
        }
    }
}

fn wire_drop(drop: forecast::Drop) -> wire::Drop {
    wire::Drop { snapshot: drop.label, reason: drop.reason }
}

fn wire_take(take: Take) -> wire::Take {
    wire::Take {
        at: take.at,
        snapshot: take.label,
        why: take.why.map_or(wire::Why::Running, |why| wire_why(why).0),
        drops: take.drops.into_iter().map(wire_drop).collect(),
    }
}
