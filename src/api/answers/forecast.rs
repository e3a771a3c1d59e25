//! The forecast.

use super::View;
use super::resource::wire_why;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::forecast::{self, Forecast, Take};
use jiff::{SignedDuration, Timestamp};

impl View<'_> {
    pub fn forecasts<'a>(
        &self,
        accounts: impl Iterator<Item = &'a Account>,
        days: u32,
    ) -> wire::Forecasts {
        let now = self.moment.now;
        let span = SignedDuration::from_hours(24 * i64::from(days));
        let until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        let forecasts = accounts.map(|account| self.foretell(account, until)).collect();
        wire::Forecasts { now, days, forecasts }
    }

    fn foretell(&self, account: &Account, until: Timestamp) -> wire::Forecast {
        let pinned = |seq| self.is_pinned(account, seq);
        let Forecast { waits, idle, takes, cut_short, stays } =
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
            takes: takes.into_iter().map(wire_take).collect(),
            cut_short,
            stays: stays.into_iter().map(hold).collect(),
        }
    }
}

fn wire_take(take: Take) -> wire::Take {
    let drop = |drop: forecast::Drop| wire::Drop { snapshot: drop.label, reason: drop.reason };
    wire::Take {
        at: take.at,
        snapshot: take.label,
        why: take.why.map_or(wire::Why::Running, |why| wire_why(why).0),
        drops: take.drops.into_iter().map(drop).collect(),
    }
}
