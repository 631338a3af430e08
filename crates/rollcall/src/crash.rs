//! Named points at which a test may end the process, as a power cut would.

/// Ends the process at once where `ROLLCALL_CRASH_AT` names this point.
pub fn point(name: &str) {
    if std::env::var_os("ROLLCALL_CRASH_AT").is_some_and(|at| at == name) {
        std::process::abort();
    }
}
