//! What a run raised, ended, opened again or retracted.
