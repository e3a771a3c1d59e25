//! What several tests need: real file systems on loop devices, scratch directories.

pub mod card;
pub mod loopfs;
pub mod mirror;
pub mod modules;
pub mod other;
pub mod pid1;
pub mod simulated;
pub mod source;
pub mod telling;
pub mod trusted;

use heptad::backend::RestoreOrder;
use heptad::domain::name::ResourceName;
use heptad::domain::snapshot::Handle;
use std::path::Path;
use std::sync::LazyLock;

/// An order for a copy at a path, whatever its name.
pub fn copied<'a>(handle: &'a Handle, target: &'a Path) -> RestoreOrder<'a> {
    static NAME: LazyLock<ResourceName> = LazyLock::new(|| "copy".parse().unwrap());
    RestoreOrder::copy(handle, &NAME, target)
}
