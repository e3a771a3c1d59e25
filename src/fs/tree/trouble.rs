//! Whose fault an error is: one entry's, which is named and passed over, or everybody's.
//!
//! Pure, so that a table can be tested. What reads the original and what writes the copy are asked
//! apart: the same number says different things on the two sides.

use rustix::io::Errno;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The entry went away between being listed and being looked at: it is as if it had never been.
    Gone,
    /// Something about this entry; the next one may well be fine.
    Entry,
    /// Of the store, or of this process: it would go on with every other entry.
    All,
}

/// Of a call that looks at, opens or reads an original: whatever it says, it says of that entry,
/// unless this process itself is at its limits.
pub(super) fn of_source(error: Errno) -> Fault {
    match error {
        Errno::NOENT => Fault::Gone,
        Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::INTR => Fault::All,
        _ => Fault::Entry,
    }
}

/// Of a call that makes or writes a copy: of the entry is only what the file system there says of
/// this name, this kind, this size or these attributes.
pub(super) fn of_copy(error: Errno) -> Fault {
    match error {
        // Larger than a file can be there; a name or a link's target longer than allowed, or not of
        // its character set; one that differs from another only in case.
        Errno::FBIG | Errno::NAMETOOLONG | Errno::ILSEQ | Errno::EXIST => Fault::Entry,
        // A kind, number, owner or attribute that it does not know, or that is not permitted.
        Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL => {
            Fault::Entry
        }
        Errno::OVERFLOW | Errno::RANGE | Errno::TOOBIG | Errno::MLINK | Errno::LOOP => Fault::Entry,
        _ => Fault::All,
    }
}

/// Whether an error means that this process may not read it, as opposed to that reading failed.
pub(super) fn is_forbidden(error: Errno) -> bool {
    matches!(error, Errno::ACCESS | Errno::PERM | Errno::NOKEY)
}

/// Why, for a person, where more is to be said than that it may not be read.
pub(super) fn why(error: Errno) -> Option<String> {
    let text = match error {
        error if is_forbidden(error) => return None,
        Errno::FBIG => "it is larger than a file can be there".into(),
        Errno::NAMETOOLONG => "its name or target is longer than allowed there".into(),
        Errno::EXIST => "there is one already whose name differs only in case".into(),
        Errno::NOTCONN => "the server of its file system is gone".into(),
        error => {
            let text = std::io::Error::from(error).to_string();
            let end = text.find(" (os error").unwrap_or(text.len());
            text[..end].to_lowercase()
        }
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_the_fault_that_says_whom_it_concerns() {
        let check = |find: fn(Errno) -> Fault, fault: Fault, errors: &[Errno]| {
            for error in errors {
                assert_eq!(find(*error), fault, "{error:?}");
            }
        };
        check(of_source, Fault::Gone, &[Errno::NOENT]);
        // Rights, damage, servers that are gone, programs that run, what is no file at all.
        check(
            of_source,
            Fault::Entry,
            &[
                Errno::ACCESS,
                Errno::PERM,
                Errno::IO,
                Errno::TXTBSY,
                Errno::NOTCONN,
                Errno::STALE,
                Errno::LOOP,
                Errno::NAMETOOLONG,
                Errno::FBIG,
                Errno::OVERFLOW,
                Errno::NODATA,
                Errno::OPNOTSUPP,
                Errno::INVAL,
                Errno::NXIO,
                Errno::NODEV,
                Errno::NOTDIR,
                Errno::UCLEAN,
                Errno::BADMSG,
                Errno::TIMEDOUT,
                Errno::HOSTDOWN,
                Errno::NOKEY,
                Errno::BUSY,
                Errno::AGAIN,
                Errno::ISDIR,
                Errno::RANGE,
                Errno::TOOBIG,
            ],
        );
        check(of_source, Fault::All, &[Errno::NOMEM, Errno::MFILE, Errno::NFILE]);
        check(
            of_copy,
            Fault::Entry,
            &[
                Errno::FBIG,
                Errno::NAMETOOLONG,
                Errno::ILSEQ,
                Errno::EXIST,
                Errno::PERM,
                Errno::ACCESS,
                Errno::OPNOTSUPP,
                Errno::INVAL,
                Errno::OVERFLOW,
                Errno::MLINK,
                Errno::RANGE,
                Errno::TOOBIG,
                Errno::LOOP,
            ],
        );
        check(
            of_copy,
            Fault::All,
            &[
                Errno::NOSPC,
                Errno::DQUOT,
                Errno::ROFS,
                Errno::IO,
                Errno::NOENT,
                Errno::NOTDIR,
                Errno::NODEV,
                Errno::NXIO,
                Errno::STALE,
                Errno::NOTCONN,
                Errno::NOMEM,
                Errno::MFILE,
                Errno::NFILE,
                Errno::UCLEAN,
                Errno::TXTBSY,
            ],
        );
    }

    #[test]
    fn a_reason_is_given_where_it_is_more_than_a_lack_of_rights() {
        assert_eq!(why(Errno::ACCESS), None);
        assert_eq!(why(Errno::IO).unwrap(), "input/output error");
        assert_eq!(why(Errno::FBIG).unwrap(), "it is larger than a file can be there");
    }
}
