//! A way into files for SQLite that takes paths as they are.

use rusqlite::ffi;
use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;

const NAME: &CStr = c"heptad-plain-paths";

/// The name under which SQLite knows the layer, once it is registered; `None` where SQLite has no
/// files at all.
///
/// SQLite's own layer replaces each symbolic link in a path by what it leads to. So it cannot open
/// `/proc/self/fd/N/name`, a file in a directory that this process holds open but could not reach
/// by its name. This one differs in nothing else; it never follows a link at the end of a path
/// either.
pub fn sqlite_plain_paths() -> Option<&'static CStr> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    REGISTERED.get_or_init(register).then_some(NAME)
}

fn register() -> bool {
    // SAFETY: no name asks for the default layer; SQLite initialises itself in this call.
    let standard = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
    if standard.is_null() {
        return false;
    }
    // SAFETY: a registered layer stays where it is, and is a plain C struct, copied whole.
    let mut plain = unsafe { *standard };
    plain.zName = NAME.as_ptr();
    plain.pNext = std::ptr::null_mut();
    plain.xFullPathname = Some(as_it_is);
    // SAFETY: the struct is leaked, so that SQLite may keep it; its name is static; no default.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(plain)), 0) == ffi::SQLITE_OK }
}

// SAFETY: SQLite calls it with a path that ends in a nul, and room for so many bytes.
unsafe extern "C" fn as_it_is(
    _layer: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: the path ends in a nul.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes_with_nul();
    if usize::try_from(room).is_ok_and(|room| path.len() <= room) {
        // SAFETY: `out` has room for `room` bytes, which are enough, and lies elsewhere.
        unsafe { std::ptr::copy_nonoverlapping(path.as_ptr().cast(), out, path.len()) };
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_CANTOPEN
    }
}
