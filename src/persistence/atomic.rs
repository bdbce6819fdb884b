//! Writing a file whole or not at all.
//!
//! The bytes go to a new file in the same directory; it is made durable (`fsync`), takes the old file's place
//! (`rename`), and the directory is made durable. Whoever reads, at any moment, finds the old file or the new one;
//! after a crash at any moment, too.
//!
//! A process that was killed leaves its temporary file behind. Temporary files are locked while they are written, so
//! the next save of the same file detects abandoned ones and removes them.

use crate::error::{Error, Result, file_type};
use crate::host;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The file operations of a save, in a form in which a test can let each of them fail.
trait Disk {
    type File: Write;
    fn create_new(&mut self, path: &Path) -> io::Result<Self::File>;
    /// Makes a file's content durable.
    fn sync(&mut self, file: &mut Self::File) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a directory's entries durable.
    fn sync_directory(&mut self, directory: &Path) -> io::Result<()>;
    fn remove(&mut self, path: &Path) -> io::Result<()>;
}

/// The operating system.
struct System;

impl Disk for System {
    type File = File;

    fn create_new(&mut self, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        // Where a file system knows no locks, its temporary files are left to age.
        let _ = file.try_lock();
        Ok(file)
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    #[cfg(unix)]
    fn sync_directory(&mut self, directory: &Path) -> io::Result<()> {
        match File::open(directory)?.sync_all() {
            // Some network file systems cannot, and have nothing to make durable.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    #[cfg(not(unix))]
    fn sync_directory(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// Replaces the file at `path` by what `write` writes, or leaves it as it was.
///
/// A symbolic link is followed: the file that it points to is replaced, or created. Permissions of a file that is
/// replaced are kept.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let refused = |action, source| Error::Save { path: path.into(), action, source };
    let (target, permissions) = target_of(path)?;
    let (directory, name) = (directory_of(&target), target.file_name().unwrap_or_default().to_string_lossy());
    remove_stale(&directory, &name);
    let keep_permissions =
        |file: &File| match permissions.map(|permissions| file.set_permissions(permissions)) {
            // Files have no permissions on WASI.
            Some(Err(refused)) if refused.kind() != io::ErrorKind::Unsupported => Err(refused),
            _ => Ok(()),
        };
    let outcome = replace_on(&mut System, &directory, &name, &target, |file| {
        keep_permissions(file)?;
        write(file)
    });
    outcome.map_err(|(action, source)| refused(action, source))
}

/// The file that a save to `path` replaces or creates, with the permissions of one that is there.
fn target_of(path: &Path) -> Result<(PathBuf, Option<Permissions>)> {
    let refused = |action, source| Error::Save { path: path.into(), action, source };
    let target = follow(path).map_err(|source| refused("follow the link", source))?;
    match fs::metadata(&target) {
        Ok(found) if !found.is_file() => {
            let source = io::Error::other(format!("expected a regular file, found {}", file_type(&found)));
            Err(refused("replace it", source))
        }
        Ok(found) => Ok((target, Some(found.permissions()))),
        Err(_) => Ok((target, None)),
    }
}

/// The most links that lead from one to the next, as on Linux.
const MOST_LINKS: usize = 40;

/// What a path names after all symbolic links at its end, whether that is there or not.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_path_buf();
    for _ in 0..=MOST_LINKS {
        match fs::symlink_metadata(&target) {
            // A relative link begins at the directory that it lies in.
            Ok(found) if found.is_symlink() => target = directory_of(&target).join(fs::read_link(&target)?),
            _ => return Ok(target),
        }
    }
    Err(io::Error::other("links that point at each other"))
}

/// Checks that a save to `path` can create its files, for errors before hours of training.
pub(super) fn check(path: &Path) -> Result<()> {
    check_folder(&directory_of(&target_of(path)?.0))
}

/// Checks that files can be created in a directory, by creating one.
pub(super) fn check_folder(directory: &Path) -> Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let probe = directory.join(temporary_name("probe"));
    let refused = |action, source| Error::Save { path: directory.into(), action, source };
    System.create_new(&probe).map_err(|source| refused("create a file in it", source))?;
    System.remove(&probe).map_err(|source| refused("remove a file in it", source))
}

/// The steps of [`replace`] on any disk; an error says which step it was.
fn replace_on<D: Disk>(
    disk: &mut D,
    directory: &Path,
    name: &str,
    target: &Path,
    write: impl FnOnce(&mut D::File) -> io::Result<()>,
) -> std::result::Result<(), (&'static str, io::Error)> {
    let temporary = directory.join(temporary_name(name));
    let mut file = disk.create_new(&temporary).map_err(|e| ("create a temporary file beside it", e))?;
    let written = write(&mut file)
        .and_then(|()| file.flush())
        .map_err(|e| ("write", e))
        .and_then(|()| disk.sync(&mut file).map_err(|e| ("make the file durable", e)));
    drop(file);
    let renamed =
        written.and_then(|()| disk.rename(&temporary, target).map_err(|e| ("put it in its place", e)));
    if renamed.is_err() {
        // The first error is the one to tell.
        let _ = disk.remove(&temporary);
    }
    renamed?;
    disk.sync_directory(directory).map_err(|e| ("make the directory durable", e))
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => ".".into(),
    }
}

const SUFFIX: &str = ".axonal-tmp";

/// A name that no other save uses: by process, moment and count.
fn temporary_name(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let (process, moment) = (host::process_id(), host::unix_time().as_nanos());
    format!("{}{process:x}-{moment:x}-{count:x}{SUFFIX}", prefix(name))
}

fn prefix(name: &str) -> String {
    // A file's name may be as long as names can be; the temporary file's must not be longer.
    format!(".{}.", name.chars().take(40).collect::<String>())
}

/// No save of a living process has a temporary file without a lock for this long.
const GRACE: Duration = Duration::from_secs(10);

/// Removes temporary files that a killed process has left; what cannot be removed stays.
fn remove_stale(directory: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let entry_name = entry.file_name();
        let is_ours = entry_name
            .to_str()
            .and_then(|entry| entry.strip_prefix(&prefix(name)))
            .and_then(|entry| entry.strip_suffix(SUFFIX))
            .is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'));
        // Opening a pipe would block until somebody writes to it.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_ours && is_file && is_abandoned(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_abandoned(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let age =
        file.metadata().and_then(|found| found.modified()).ok().and_then(|moment| moment.elapsed().ok());
    age.is_some_and(|age| age >= GRACE) && file.try_lock().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    /// A disk that remembers what is durable: after a crash, a file has its content as of the last sync, or any
    /// beginning of what was written since; a directory's changes since its last sync have happened or not.
    #[derive(Default)]
    struct Simulated {
        contents: Vec<Rc<RefCell<Content>>>,
        entries: BTreeMap<PathBuf, usize>,
        durable_entries: BTreeMap<PathBuf, usize>,
        /// Operations that still succeed.
        fuel: Option<usize>,
        /// Whether an operation without fuel stops the machine, instead of failing alone.
        crashes: bool,
        crashed: Rc<RefCell<bool>>,
    }

    #[derive(Default)]
    struct Content {
        written: Vec<u8>,
        durable: usize,
    }

    struct SimulatedFile {
        content: Rc<RefCell<Content>>,
        index: usize,
        fuel: Rc<RefCell<Option<usize>>>,
    }

    impl Simulated {
        fn with_old_file() -> Self {
            let mut disk = Self::default();
            disk.contents.push(Rc::new(RefCell::new(Content { written: b"old".to_vec(), durable: 3 })));
            disk.entries.insert("d/m".into(), 0);
            disk.durable_entries = disk.entries.clone();
            disk
        }

        fn operate(&mut self) -> io::Result<()> {
            if *self.crashed.borrow() {
                return Err(io::Error::other("the machine is off"));
            }
            match &mut self.fuel {
                Some(0) => {
                    *self.crashed.borrow_mut() = self.crashes;
                    self.fuel = None;
                    Err(io::ErrorKind::StorageFull.into())
                }
                Some(fuel) => {
                    *fuel -= 1;
                    Ok(())
                }
                None => Ok(()),
            }
        }

        /// Everything that `d/m` may hold after the power is cut now.
        fn after_a_crash(&self) -> Vec<Vec<u8>> {
            let mut found = Vec::new();
            for entries in [&self.entries, &self.durable_entries] {
                let Some(&index) = entries.get(Path::new("d/m")) else {
                    found.push(b"lost".to_vec());
                    continue;
                };
                let content = self.contents[index].borrow();
                found.extend(
                    (content.durable..=content.written.len()).map(|end| content.written[..end].to_vec()),
                );
            }
            found
        }
    }

    impl Disk for Simulated {
        type File = SimulatedFile;

        fn create_new(&mut self, path: &Path) -> io::Result<SimulatedFile> {
            self.operate()?;
            let content = Rc::new(RefCell::new(Content::default()));
            self.contents.push(content.clone());
            self.entries.insert(path.into(), self.contents.len() - 1);
            Ok(SimulatedFile { content, index: self.contents.len() - 1, fuel: Rc::new(RefCell::new(None)) })
        }

        fn sync(&mut self, file: &mut SimulatedFile) -> io::Result<()> {
            self.operate()?;
            let mut content = self.contents[file.index].borrow_mut();
            content.durable = content.written.len();
            Ok(())
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.operate()?;
            let index = self.entries.remove(from).ok_or(io::ErrorKind::NotFound)?;
            self.entries.insert(to.into(), index);
            Ok(())
        }

        fn sync_directory(&mut self, _: &Path) -> io::Result<()> {
            self.operate()?;
            self.durable_entries = self.entries.clone();
            Ok(())
        }

        fn remove(&mut self, path: &Path) -> io::Result<()> {
            self.operate()?;
            self.entries.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
        }
    }

    impl Write for SimulatedFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(fuel) = &mut *self.fuel.borrow_mut() {
                *fuel = fuel.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            }
            self.content.borrow_mut().written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn save(disk: &mut Simulated, writes: Option<usize>) -> std::result::Result<(), &'static str> {
        let write = |file: &mut SimulatedFile| {
            *file.fuel.borrow_mut() = writes;
            (0..4).try_for_each(|_| file.write_all(b"new "))
        };
        replace_on(disk, Path::new("d"), "m", Path::new("d/m"), write).map_err(|(action, _)| action)
    }

    #[test]
    fn a_crash_at_any_operation_leaves_the_old_file_or_the_new_one() {
        let mut states = 0;
        for fuel in 0..6 {
            let mut disk = Simulated { fuel: Some(fuel), crashes: true, ..Simulated::with_old_file() };
            let saved = save(&mut disk, None);
            for content in disk.after_a_crash() {
                states += 1;
                assert!(content == b"old" || content == b"new new new new ", "{content:?} after {fuel}");
                assert!(saved.is_err() || content != b"old", "a save that succeeded is lost");
            }
        }
        assert!(states >= 12);
    }

    #[test]
    fn the_simulator_finds_a_save_that_forgets_to_sync() {
        let mut disk = Simulated::with_old_file();
        let mut file = disk.create_new(Path::new("d/t")).unwrap();
        file.write_all(b"new").unwrap();
        disk.rename(Path::new("d/t"), Path::new("d/m")).unwrap();
        assert!(disk.after_a_crash().contains(&b"ne".to_vec()));
    }

    #[test]
    fn every_operation_that_fails_is_told_and_leaves_no_temporary_file() {
        let steps = [
            "create a temporary file beside it",
            "make the file durable",
            "put it in its place",
            "make the directory durable",
        ];
        for (fuel, step) in steps.into_iter().enumerate() {
            let mut disk = Simulated { fuel: Some(fuel), ..Simulated::with_old_file() };
            assert_eq!(save(&mut disk, None), Err(step));
            assert_eq!(disk.entries.len(), 1, "{step}");
            let kept = disk.contents[disk.entries[Path::new("d/m")]].borrow().written.clone();
            assert_eq!(
                kept,
                if fuel == 3 { b"new new new new ".to_vec() } else { b"old".to_vec() },
                "{step}"
            );
        }
        for writes in 0..4 {
            let mut disk = Simulated::with_old_file();
            assert_eq!(save(&mut disk, Some(writes)), Err("write"));
            assert_eq!(disk.after_a_crash(), [b"old".to_vec(), b"old".to_vec()]);
            assert_eq!(disk.entries.len(), 1);
        }
        assert_eq!(save(&mut Simulated::with_old_file(), Some(4)), Ok(()));
    }
}
