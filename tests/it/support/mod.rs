//! What several tests need: real file systems on loop devices, scratch directories.

pub mod loopfs;
pub mod pid1;
pub mod simulated;
pub mod source;
pub mod trusted;
