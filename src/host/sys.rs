//! The only `unsafe` in heptad: system calls that no library here wraps. Each has a SAFETY line.
#![allow(unsafe_code, reason = "the one module where it is allowed; each use is argued for")]
