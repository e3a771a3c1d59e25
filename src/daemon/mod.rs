//! The imperative shell: boot, the driver's loop, workers, the desk. The only room that sees all
//! others. It decides nothing: what to do comes from the keeper, and it is done here.

pub mod engine;
pub mod hooks;
pub mod perform;
pub mod simulate;
