//! By what programs know an alarm.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmCode {
    /// No complete snapshot for too long.
    Stale,
    /// A slot ended without one, and there was no complete one since.
    SlotLost,
    /// A suspect snapshot stops rotation.
    Suspect,
    /// This daemon is not allowed what a snapshot of it needs.
    NotAllowed,
    /// Another identity is in the resource's place.
    Stranger,
    /// The backend could not reach it the last time.
    Trouble,
    /// A snapshot is gone that heptad did not delete.
    Missing,
    /// A snapshot was changed behind heptad's back.
    Tampered,
    /// A snapshot could not be destroyed, again.
    Stuck,
    /// What is known of a snapshot cannot be written beside it.
    Unmarked,
    /// An operation runs for longer than [`LONG`].
    Slow,
    /// It left the configuration and was not forgotten.
    Undeclared,
    /// Nobody here knows its time zone.
    ZoneLost,
    /// What a much slower rhythm made is held until a person says that it may go.
    RhythmDenser,
    /// More are kept than wanted, because nobody knows that time has passed.
    Unpaid,
    ClockDoubted,
    CatalogueFrozen,
}

impl AlarmCode {
    pub const ALL: [AlarmCode; 17] = [
        AlarmCode::Stale,
        AlarmCode::SlotLost,
        AlarmCode::Suspect,
        AlarmCode::NotAllowed,
        AlarmCode::Stranger,
        AlarmCode::Trouble,
        AlarmCode::Missing,
        AlarmCode::Tampered,
        AlarmCode::Stuck,
        AlarmCode::Unmarked,
        AlarmCode::Slow,
        AlarmCode::Undeclared,
        AlarmCode::ZoneLost,
        AlarmCode::RhythmDenser,
        AlarmCode::Unpaid,
        AlarmCode::ClockDoubted,
        AlarmCode::CatalogueFrozen,
    ];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            AlarmCode::Stale => "stale",
            AlarmCode::SlotLost => "slot-lost",
            AlarmCode::Suspect => "suspect",
            AlarmCode::NotAllowed => "not-allowed",
            AlarmCode::Stranger => "identity-changed",
            AlarmCode::Trouble => "trouble",
            AlarmCode::Missing => "missing",
            AlarmCode::Tampered => "tampered",
            AlarmCode::Stuck => "stuck",
            AlarmCode::Unmarked => "unmarked",
            AlarmCode::Slow => "slow",
            AlarmCode::Undeclared => "undeclared",
            AlarmCode::ZoneLost => "zone-lost",
            AlarmCode::RhythmDenser => "rhythm-denser",
            AlarmCode::Unpaid => "clock-unsynchronised",
            AlarmCode::ClockDoubted => "clock-doubted",
            AlarmCode::CatalogueFrozen => "catalogue-frozen",
        }
    }
}
