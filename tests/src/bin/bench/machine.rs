//! What the measurement ran on. Whatever the system does not tell is “unknown”.

use std::path::Path;
use std::process::Command;

use docket::ambient;
use sqlx::Connection as _;

use crate::server::Server;

/// What the measurement ran on, as rows of a table: what, and which.
pub(crate) type Description = Vec<(&'static str, String)>;

/// Describes the machine, the database, and what was built.
pub(crate) async fn describe(server: &Server) -> anyhow::Result<Description> {
    let mut conn = server.connect_any().await?;
    let (version, buffers, fsync, commit, method): (String, String, String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version'), current_setting('shared_buffers'), current_setting('fsync'),
                current_setting('synchronous_commit'), current_setting('wal_sync_method')",
    )
    .fetch_one(&mut conn)
    .await?;
    conn.close().await?;
    let build = if cfg!(debug_assertions) {
        "debug build: not worth comparing"
    } else {
        "release build"
    };
    Ok(vec![
        (
            "date",
            ambient::now().format("%Y-%m-%d %H:%M UTC").to_string(),
        ),
        ("commit", format!("{} ({build})", commit_hash())),
        (
            "processor",
            format!(
                "{}, {} cores",
                processor(),
                std::thread::available_parallelism()?
            ),
        ),
        ("memory", memory()),
        ("system", system()),
        ("disk", disk(&server.cluster())),
        (
            "Postgres",
            format!(
                "{version}; shared_buffers {buffers}, fsync {fsync}, synchronous_commit {commit}, wal_sync_method {method}; \
                 Unix socket"
            ),
        ),
        ("load before", load_average()),
        (
            "command",
            std::env::args()
                .skip(1)
                .fold("bench".to_owned(), |line, argument| line + " " + &argument),
        ),
    ])
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn commit_hash() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return unknown();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => hash,
        _ => hash + " with changes",
    }
}

/// The value of the first line `name: value` in a file of `/proc`.
fn first_value(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let (_, value) = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor() -> String {
    first_value("/proc/cpuinfo", "model name")
        .or_else(|| said_by("sysctl", &["-n", "machdep.cpu.brand_string"]))
        .unwrap_or_else(unknown)
}

fn memory() -> String {
    first_value("/proc/meminfo", "MemTotal")
        .and_then(|value| value.strip_suffix(" kB")?.parse::<u64>().ok())
        .or_else(|| {
            said_by("sysctl", &["-n", "hw.memsize"])?
                .parse::<u64>()
                .ok()
                .map(|bytes| bytes / 1_024)
        })
        .map_or_else(unknown, |kibibytes| {
            format!("{} GiB", kibibytes.div_ceil(1 << 20))
        })
}

fn system() -> String {
    said_by("uname", &["-srm"]).unwrap_or_else(unknown)
}

/// The kind of file system that a folder lies on. One in memory would make every commit free.
fn disk(folder: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    match file_system(&mounts, folder) {
        Some(kind @ ("tmpfs" | "ramfs")) => {
            format!("{kind}: IN MEMORY, nothing below is worth comparing")
        }
        Some(kind) => kind.to_owned(),
        None => unknown(),
    }
}

/// The type of the mount with the longest path above `folder`.
fn file_system<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        // The last of several at one place lies on top.
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind)
}

/// How many processes wanted to run, over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .map(|text| text.split(' ').take(3).collect::<Vec<_>>().join(" "))
        .or_else(|| said_by("sysctl", &["-n", "vm.loadavg"]))
        .unwrap_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_says_where_files_lie() {
        let mounts =
            "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/disk xfs rw 0 0\n";

        assert_eq!(file_system(mounts, Path::new("/var/tmp/a")), Some("ext4"));
        assert_eq!(file_system(mounts, Path::new("/tmp/a")), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/tmp/disk/a")), Some("xfs"));
        assert_eq!(file_system("", Path::new("/tmp")), None);
    }
}
