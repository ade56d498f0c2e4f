//! Which errors of the database pass by themselves. The ledger, the API and the watch all judge by this one table.

/// What an error of the database means for the connection that met it, and for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The connection is of no use any more, the database takes no changes, or it lacks something for the moment: callers come
    /// back later, and the next try gets another connection.
    Outage,
    /// Somebody else wrote meanwhile; a try from fresh state will do.
    Conflict,
    /// It would fail again.
    Fault,
}

/// Judges an error of the database.
pub fn severity(error: &sqlx::Error) -> Severity {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Severity::Outage,
        sqlx::Error::Database(refusal) => refusal
            .code()
            .map_or(Severity::Fault, |code| severity_of(&code)),
        _ => Severity::Fault,
    }
}

/// Whether the same could succeed a little later.
pub fn is_outage(error: &sqlx::Error) -> bool {
    severity(error) == Severity::Outage
}

/// The same, or a table is missing, which the watch makes anew while the service runs.
pub fn is_temporary(error: &sqlx::Error) -> bool {
    is_outage(error) || is_missing_table(error)
}

/// Whether the database takes no changes: it was set read-only, or it is a standby.
pub(crate) fn is_read_only(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some("25006"))
}

/// Whether a table, column or schema of ours is missing.
pub(crate) fn is_missing_table(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal)
        if matches!(refusal.code().as_deref(), Some("42P01" | "42703" | "3F000")))
}

fn severity_of(code: &str) -> Severity {
    match code {
        // Serialisation failure, deadlock, lock not available. A unique violation: what came up at the same time elsewhere (an
        // event, a line, a user, a key) is found by the next try.
        "40001" | "40P01" | "55P03" | "23505" => Severity::Conflict,
        // A read-only transaction; a session that was ended for idling. The database was dropped, renamed or closed to us while
        // we run, and can be back after a restore or a switch-over.
        "25006" | "25P03" | "3D000" | "28000" | "28P01" => Severity::Outage,
        // Connection trouble; out of resources (disk, memory, connections); stopping, starting or cancelled by an operator; errors
        // of the system below, such as a disk that cannot be read.
        _ if ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Severity::Outage
        }
        _ => Severity::Fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_judged_by_whether_they_pass() {
        let table = [
            (
                Severity::Outage,
                "08000 08006 08P01 25006 25P03 28P01 3D000 53100 53200 53300 57014 57P01 57P02 57P03 57P05 58030",
            ),
            (Severity::Conflict, "40001 40P01 55P03 23505"),
            (Severity::Fault, "22P02 23502 23514 42601 42P01 42501 XX001"),
        ];
        for (severity, codes) in table {
            for code in codes.split(' ') {
                assert_eq!(severity_of(code), severity, "{code}");
            }
        }
    }
}
