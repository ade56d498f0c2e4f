//! Decides where the cluster lies, whom the server runs as and where its socket is, and keeps all of it closed to others.
//!
//! Trust authentication is safe only because of what always holds here: the folder of the socket belongs to the server's
//! user and has mode 0700, so nobody but that user and root reaches the socket.

use std::ffi::OsStr;
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::PrivatePostgresError;

/// The file in the data folder that names the folder of the cluster when that is not the data folder.
const LOCATION_FILE: &str = "postgres.location";

/// The longest path, in bytes, that every system takes for a Unix socket: macOS has 104 with the closing zero.
const SOCKET_PATH_MAX: usize = 103;

/// What Postgres adds to the socket's folder.
const SOCKET_NAME: &str = "/.s.PGSQL.5432";

/// The user that the server runs as when we are root, which Postgres refuses to run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Docket's data folder, absolute.
    pub(super) data_dir: PathBuf,
    /// The folder that the cluster and the locks lie in: the data folder, or one that the server's user can reach.
    pub(super) home: PathBuf,
    /// The cluster's own folder, which exists once it has been made.
    pub(super) cluster: PathBuf,
    /// Whom to run the server as; `None` is ourselves.
    pub(super) user: Option<ServerUser>,
}

impl Place {
    /// Finds the place for the data folder `data_dir`, which must be absolute, and decides on one at first use. `state_dir`
    /// is where the cluster's folder is made when the server's user cannot reach the data folder.
    ///
    /// Two processes at once must not decide, so the caller holds the data folder's lock.
    pub(super) fn find(data_dir: &Path, state_dir: &Path) -> Result<Self, PrivatePostgresError> {
        let us = rustix::process::geteuid().as_raw();
        let location_file = data_dir.join(LOCATION_FILE);
        let home = match std::fs::read(&location_file) {
            Ok(location) => {
                let home = PathBuf::from(OsStr::from_bytes(location.trim_ascii()));
                if !home.is_absolute() || !home.is_dir() {
                    return Err(PrivatePostgresError::LocationGone {
                        file: location_file,
                        location: home,
                    });
                }
                home
            }
            Err(error) if error.kind() == ErrorKind::NotFound => data_dir.to_owned(),
            Err(error) => return Err(folder_error(&location_file)(error)),
        };
        let cluster = home.join("postgres");

        if let Some(owner) = metadata_if_exists(&cluster)? {
            let user = user_of_existing(&cluster, &owner, us)?;
            close_to_others(&cluster, &owner)?;
            if let Some(user) = user
                && let Some(folder) = blocking_folder(&home, user)?
            {
                return Err(PrivatePostgresError::Unreachable {
                    folder,
                    uid: user.uid,
                });
            }
            return Ok(Self {
                data_dir: data_dir.to_owned(),
                home,
                cluster,
                user,
            });
        }

        if us != 0 {
            return Ok(Self {
                data_dir: data_dir.to_owned(),
                home,
                cluster,
                user: None,
            });
        }
        let user = unprivileged_user()?;
        let home = if blocking_folder(&home, user)?.is_some() {
            let elsewhere = make_home_elsewhere(data_dir, state_dir, user)?;
            write_location(&location_file, &elsewhere)?;
            tracing::info!(
                folder = %elsewhere.display(),
                "the server's user cannot reach the data folder, so the database lies elsewhere"
            );
            elsewhere
        } else {
            home
        };
        Ok(Self {
            data_dir: data_dir.to_owned(),
            cluster: home.join("postgres"),
            home,
            user: Some(user),
        })
    }

    /// The folder of the server's socket, made if need be: the cluster's own, unless that makes the path too long.
    pub(super) fn socket_folder(&self) -> Result<PathBuf, PrivatePostgresError> {
        if fits_socket(&self.cluster) {
            return Ok(self.cluster.clone());
        }
        // Not $TMPDIR or $XDG_RUNTIME_DIR: two processes of one data folder must come to the same answer, whatever
        // session or service manager they were started from.
        self.short_socket_folder(Path::new("/tmp"))
    }

    fn short_socket_folder(&self, parent: &Path) -> Result<PathBuf, PrivatePostgresError> {
        let us = rustix::process::geteuid().as_raw();
        let folder = parent.join(format!("docket-{us}-{}", path_hash(&self.cluster)));
        create_dir(&folder, 0o700)?;
        // Anybody may make a folder in /tmp, so one that exists is taken only if nobody else can have made it or can
        // get into it. Once it is found to be ours, the sticky bit keeps others from swapping it.
        let found = std::fs::symlink_metadata(&folder).map_err(folder_error(&folder))?;
        let server = self.user.map_or(us, |user| user.uid);
        if !found.is_dir()
            || (found.uid() != us && found.uid() != server)
            || found.mode() & 0o077 != 0
        {
            return Err(PrivatePostgresError::PlantedFolder { path: folder });
        }
        if let Some(user) = self.user {
            lchown(&folder, Some(user.uid), Some(user.gid)).map_err(folder_error(&folder))?;
        }
        Ok(folder)
    }

    /// Takes away what [`Place::find`] made outside the data folder. The cluster must be gone.
    pub(super) fn remove_home_elsewhere(&self) -> Result<(), PrivatePostgresError> {
        if self.home == self.data_dir {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.home).map_err(folder_error(&self.home))?;
        let location_file = self.data_dir.join(LOCATION_FILE);
        std::fs::remove_file(&location_file).map_err(folder_error(&location_file))
    }
}

/// Makes the data folder if it is missing, and gives its absolute path without links.
pub(super) fn make_data_dir(data_dir: &Path) -> Result<PathBuf, PrivatePostgresError> {
    DirBuilder::new()
        .recursive(true)
        .mode(folder_mode())
        .create(data_dir)
        .map_err(folder_error(data_dir))?;
    data_dir.canonicalize().map_err(folder_error(data_dir))
}

/// A folder for a server that is thrown away, deleted when the value is dropped: one that the server's user can reach even
/// when we are root, which the usual mode 0700 would prevent.
///
/// # Errors
///
/// The error of the system when the folder cannot be made.
pub fn temporary_data_dir() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("docket-")
        .permissions(Permissions::from_mode(folder_mode()))
        .tempdir()
}

/// The mode of folders above the cluster. As root we let the server's user pass through, though not list.
fn folder_mode() -> u32 {
    if rustix::process::geteuid().is_root() {
        0o711
    } else {
        0o700
    }
}

fn create_dir(path: &Path, mode: u32) -> Result<(), PrivatePostgresError> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(folder_error(path)(error)),
        _ => Ok(()),
    }
}

fn metadata_if_exists(path: &Path) -> Result<Option<Metadata>, PrivatePostgresError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(folder_error(path)(error)),
    }
}

/// Whom the server of an existing cluster runs as: Postgres insists on the owner.
fn user_of_existing(
    cluster: &Path,
    owner: &Metadata,
    us: u32,
) -> Result<Option<ServerUser>, PrivatePostgresError> {
    match (us, owner.uid()) {
        (0, uid) if uid != 0 => Ok(Some(ServerUser {
            uid,
            gid: owner.gid(),
        })),
        (us, uid) if us != 0 && us == uid => Ok(None),
        (_, uid) => Err(PrivatePostgresError::OtherOwner {
            cluster: cluster.to_owned(),
            uid,
        }),
    }
}

/// The bits that Postgres refuses to find on its folder: whatever others may, and writing by the group.
const REFUSED_MODE: u32 = 0o027;

/// Takes from others what Postgres refuses to start with: something that manages the volume may have opened the folder, as
/// Kubernetes does for an `fsGroup` at every mount.
fn close_to_others(cluster: &Path, found: &Metadata) -> Result<(), PrivatePostgresError> {
    let mode = found.mode() & 0o7777;
    if mode & REFUSED_MODE == 0 {
        return Ok(());
    }
    // Without the set-group-id bit too, which is of no use to a server that makes all its files itself.
    let closed = mode & 0o700 | mode & 0o050;
    std::fs::set_permissions(cluster, Permissions::from_mode(closed)).map_err(|source| {
        PrivatePostgresError::OpenToOthers {
            cluster: cluster.to_owned(),
            mode,
            source,
        }
    })?;
    tracing::warn!(
        folder = %cluster.display(),
        mode = format!("{mode:04o}"),
        now = format!("{closed:04o}"),
        "the folder of the database was open to others, which Postgres refuses; it was closed to them"
    );
    Ok(())
}

fn unprivileged_user() -> Result<ServerUser, PrivatePostgresError> {
    let passwd = Path::new("/etc/passwd");
    let text = std::fs::read_to_string(passwd).map_err(folder_error(passwd))?;
    find_unprivileged_user(&text).ok_or(PrivatePostgresError::NoUnprivilegedUser)
}

fn find_unprivileged_user(passwd: &str) -> Option<ServerUser> {
    ["postgres", "nobody"].into_iter().find_map(|name| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next() != Some(name) {
                return None;
            }
            Some(ServerUser {
                uid: parse_id(fields.nth(1)?)?,
                gid: parse_id(fields.next()?)?,
            })
        })
    })
}

/// Reads a user's or group's number. macOS writes that of `nobody` as -2.
fn parse_id(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
        .filter(|id| *id != 0)
}

/// The outermost folder on the way to `path`, itself included, that `user` may not pass through.
fn blocking_folder(path: &Path, user: ServerUser) -> Result<Option<PathBuf>, PrivatePostgresError> {
    let mut outermost = None;
    for folder in path.ancestors() {
        let metadata = std::fs::metadata(folder).map_err(folder_error(folder))?;
        if !may_pass(metadata.mode(), metadata.uid(), metadata.gid(), user) {
            outermost = Some(folder.to_owned());
        }
    }
    Ok(outermost)
}

/// Whether `user` may pass through a folder of this mode, owner and group.
fn may_pass(mode: u32, owner: u32, group: u32, user: ServerUser) -> bool {
    let bit = if owner == user.uid {
        0o100
    } else if group == user.gid {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

/// Makes a folder for the cluster of `data_dir` below `state_dir`. Always a new one: one that exists belonged to a data
/// folder of the same path that was deleted since, and neither its data nor its fate are ours to decide.
fn make_home_elsewhere(
    data_dir: &Path,
    state_dir: &Path,
    user: ServerUser,
) -> Result<PathBuf, PrivatePostgresError> {
    let state_dir = state_dir.canonicalize().map_err(folder_error(state_dir))?;
    if let Some(folder) = blocking_folder(&state_dir, user)? {
        return Err(PrivatePostgresError::Unreachable {
            folder,
            uid: user.uid,
        });
    }
    let name = format!("docket-{}", path_hash(data_dir));
    let mut home = state_dir.join(&name);
    let mut number = 1;
    loop {
        match DirBuilder::new().mode(0o711).create(&home) {
            Ok(()) => break,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number += 1;
                home = state_dir.join(format!("{name}-{number}"));
            }
            Err(error) => return Err(folder_error(&home)(error)),
        }
    }
    // The mask of the process may have taken away what lets the server's user pass.
    std::fs::set_permissions(&home, Permissions::from_mode(0o711)).map_err(folder_error(&home))?;
    Ok(home)
}

/// Writes the location so that a crash leaves either no file or a whole one.
fn write_location(file: &Path, home: &Path) -> Result<(), PrivatePostgresError> {
    use std::io::Write;

    let unfinished = file.with_extension("location.new");
    let write = || {
        let mut out = std::fs::File::create(&unfinished)?;
        out.write_all(home.as_os_str().as_bytes())?;
        out.write_all(b"\n")?;
        out.sync_all()?;
        std::fs::rename(&unfinished, file)
    };
    write().map_err(folder_error(file))
}

fn fits_socket(folder: &Path) -> bool {
    folder.as_os_str().len() + SOCKET_NAME.len() <= SOCKET_PATH_MAX
}

fn path_hash(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_bytes())[..8])
}

/// Makes an I/O error at `path` into ours.
pub(super) fn folder_error(path: &Path) -> impl FnOnce(io::Error) -> PrivatePostgresError {
    let path = path.to_owned();
    move |source| PrivatePostgresError::Folder { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(cluster: &Path) -> Place {
        Place {
            data_dir: cluster.to_owned(),
            home: cluster.to_owned(),
            cluster: cluster.to_owned(),
            user: None,
        }
    }

    #[test]
    fn postgres_is_preferred_to_nobody() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n\
                      nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n";
        let nobody = 4_294_967_294;
        assert_eq!(
            find_unprivileged_user(passwd),
            Some(ServerUser {
                uid: nobody,
                gid: nobody
            })
        );

        let with_postgres = format!("{passwd}postgres:x:101:104::/var/lib/postgresql:/bin/bash\n");
        assert_eq!(
            find_unprivileged_user(&with_postgres),
            Some(ServerUser { uid: 101, gid: 104 })
        );
    }

    #[test]
    fn a_user_that_is_root_by_another_name_is_not_taken() {
        assert_eq!(find_unprivileged_user("postgres:x:0:0::/:/bin/sh\n"), None);
    }

    #[test]
    fn who_may_pass_is_read_from_the_mode_that_applies() {
        let user = ServerUser { uid: 101, gid: 104 };

        assert!(may_pass(0o711, 0, 0, user));
        assert!(!may_pass(0o750, 0, 0, user));
        assert!(may_pass(0o750, 0, 104, user));
        // The owner's bits count for the owner, even where others may do more.
        assert!(!may_pass(0o677, 101, 0, user));
        assert!(!may_pass(0o705, 0, 104, user));
        assert!(may_pass(0o700, 101, 0, user));
    }

    #[test]
    fn a_folder_for_sockets_is_ours_alone() {
        let parent = tempfile::tempdir().unwrap();
        let place = place(Path::new("/srv/docket/postgres"));

        let folder = place.short_socket_folder(parent.path()).unwrap();

        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(place.short_socket_folder(parent.path()).unwrap(), folder);
    }

    #[test]
    fn a_planted_folder_for_sockets_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let place = place(Path::new("/srv/docket/postgres"));
        let folder = place.short_socket_folder(parent.path()).unwrap();

        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let error = place.short_socket_folder(parent.path()).unwrap_err();
        assert!(matches!(error, PrivatePostgresError::PlantedFolder { .. }));

        std::fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink(parent.path(), &folder).unwrap();
        let error = place.short_socket_folder(parent.path()).unwrap_err();
        assert!(matches!(error, PrivatePostgresError::PlantedFolder { .. }));
    }

    #[test]
    fn sockets_of_long_folders_move_to_a_short_one() {
        assert!(fits_socket(Path::new("/srv/docket/postgres")));
        assert!(fits_socket(Path::new(&format!("/{}", "d".repeat(88)))));
        assert!(!fits_socket(Path::new(&format!("/{}", "d".repeat(89)))));
    }

    #[test]
    fn a_home_elsewhere_is_never_one_that_exists() {
        let state_dir = temporary_data_dir().unwrap();
        let owner = std::fs::metadata(state_dir.path()).unwrap();
        let user = ServerUser {
            uid: owner.uid(),
            gid: owner.gid(),
        };
        let data_dir = Path::new("/srv/docket");

        let first = make_home_elsewhere(data_dir, state_dir.path(), user).unwrap();
        let second = make_home_elsewhere(data_dir, state_dir.path(), user).unwrap();

        assert_ne!(first, second);
    }
}
