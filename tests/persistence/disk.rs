//! Saving to a disk: whole or not at all, whoever reads and whatever was there.

use super::models;
use axonal::prelude::*;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

fn names(directory: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn readers_find_a_whole_file_during_a_thousand_saves() {
    let directory = models::directory("readers");
    let path = directory.join("model.axonal");
    let versions = [models::classifier().to_bytes().unwrap(), models::trained().to_bytes().unwrap()];
    let (first, second) = (models::classifier(), models::trained());
    first.save(&path).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let loaded = Model::<f32>::load(&path).unwrap().to_bytes().unwrap();
                    assert!(versions.contains(&loaded));
                }
            });
        }
        for save in 0..1000 {
            if save % 2 == 0 { second.save(&path).unwrap() } else { first.save(&path).unwrap() }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(names(&directory), ["model.axonal"]);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "needs locks")]
fn what_a_killed_process_left_is_removed_and_nothing_else() {
    let directory = models::directory("stale");
    let path = directory.join("model.axonal");
    let leave = |name: &str, age: u64| {
        let file = fs::File::create(directory.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        file
    };
    drop(leave(".model.axonal.1f-2a-0.axonal-tmp", 60));
    drop(leave(".model.axonal.1f-2b-0.axonal-tmp", 0));
    drop(leave(".other.axonal.1f-2a-0.axonal-tmp", 60));
    drop(leave(".model.axonal.notes.axonal-tmp", 60));
    let in_use = leave(".model.axonal.1f-2c-0.axonal-tmp", 60);
    in_use.lock().unwrap();
    models::classifier().save(&path).unwrap();
    assert_eq!(
        names(&directory),
        [
            ".model.axonal.1f-2b-0.axonal-tmp",
            ".model.axonal.1f-2c-0.axonal-tmp",
            ".model.axonal.notes.axonal-tmp",
            ".other.axonal.1f-2a-0.axonal-tmp",
            "model.axonal"
        ]
    );
    fs::remove_dir_all(directory).unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_permissions_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let directory = models::directory("links");
    let (path, link) = (directory.join("model.axonal"), directory.join("latest"));
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("model.axonal", &link).unwrap();
    models::classifier().save(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(Model::<f32>::load(&path).is_ok());
    fs::remove_dir_all(directory).unwrap();
}

/// As other programs do: the file that the link names is created, and the link stays.
#[cfg(unix)]
#[test]
fn a_save_to_a_dangling_link_creates_what_it_points_to() {
    use std::os::unix::fs::symlink;
    let directory = models::directory("dangling");
    fs::create_dir(directory.join("folder")).unwrap();
    let absolute = directory.join("folder/absolute.axonal");
    symlink("folder/relative.axonal", directory.join("relative")).unwrap();
    symlink(&absolute, directory.join("absolute")).unwrap();
    symlink("relative", directory.join("link_to_link")).unwrap();
    symlink("../folder/inner.axonal", directory.join("folder/inner")).unwrap();
    let links = [
        ("absolute", "folder/absolute.axonal"),
        ("link_to_link", "folder/relative.axonal"),
        ("folder/inner", "folder/inner.axonal"),
    ];
    for (link, target) in links {
        let (link, target) = (directory.join(link), directory.join(target));
        for _ in 0..2 {
            models::classifier().save(&link).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{link:?}");
            assert!(fs::symlink_metadata(&target).unwrap().is_file() && Model::<f32>::load(&link).is_ok());
        }
    }
    assert_eq!(
        names(&directory.join("folder")),
        ["absolute.axonal", "inner", "inner.axonal", "relative.axonal"]
    );
    symlink("absent/model.axonal", directory.join("no_folder")).unwrap();
    symlink("loop", directory.join("loop")).unwrap();
    symlink("folder", directory.join("to_folder")).unwrap();
    for (link, expected) in [
        ("no_folder", "cannot create a temporary file beside it"),
        ("loop", "cannot follow the link: links that point at each other"),
        ("to_folder", "cannot replace it: expected a regular file, found a directory"),
    ] {
        let said = models::classifier().save(directory.join(link)).unwrap_err().to_string();
        assert!(said.contains(expected), "{link}: {said}");
    }
    fs::remove_dir_all(directory).unwrap();
}

/// No process writes to these pipes: opening one would block forever.
#[cfg(unix)]
#[test]
fn pipes_beside_and_in_place_of_a_file_do_not_block() {
    let directory = models::directory("pipes");
    let path = directory.join("m.axonal");
    let pipe = |name: &str| {
        let made = std::process::Command::new("mkfifo").arg(directory.join(name)).status().unwrap();
        assert!(made.success());
        directory.join(name)
    };
    pipe(".m.axonal.1-1-1.axonal-tmp");
    std::os::unix::fs::symlink(pipe("other"), directory.join(".m.axonal.1-1-2.axonal-tmp")).unwrap();
    models::classifier().save(&path).unwrap();
    models::kmeans().save(&path).unwrap();
    assert_eq!(names(&directory).len(), 4, "what is no file of ours stays");
    let said = models::classifier().save(directory.join("other")).unwrap_err().to_string();
    assert!(said.ends_with("cannot replace it: expected a regular file, found a pipe"), "{said}");
    for said in [
        Model::<f32>::load(directory.join("other")).unwrap_err().to_string(),
        axonal::persistence::inspect(directory.join("other")).unwrap_err().to_string(),
    ] {
        assert!(said.ends_with("expected a regular file, found a pipe"), "{said}");
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let said = models::classifier().save("absent/directory/m.axonal").unwrap_err().to_string();
    assert!(
        said.starts_with("absent/directory/m.axonal: cannot create a temporary file beside it: "),
        "{said}"
    );
    assert!(models::classifier().save("").is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_writer_that_is_full_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = models::trained().save_to(&full).unwrap_err().to_string();
    assert!(said.contains("cannot write") && said.contains("No space left"), "{said}");
    assert!(models::kmeans().save_to(&full).is_err());
}

/// Run by `scripts/faults`, not by itself: saves again and again, each time another of two versions, or loads once.
#[test]
#[ignore = "scripts/faults runs it as a process to be killed"]
fn child() {
    let path = std::env::var("AXONAL_CHILD_PATH").unwrap();
    match std::env::var("AXONAL_CHILD_WORK").unwrap().as_str() {
        "save_forever" => loop {
            models::classifier().save(&path).unwrap();
            models::trained().save(&path).unwrap();
        },
        "save" => models::trained().save(&path).unwrap(),
        "save_old" => models::classifier().save(&path).unwrap(),
        "verify" => {
            let found = Model::<f32>::load(&path).unwrap().to_bytes().unwrap();
            let versions = [models::classifier().to_bytes().unwrap(), models::trained().to_bytes().unwrap()];
            assert!(versions.contains(&found));
        }
        "verify_old" => {
            let found = Model::<f32>::load(&path).unwrap().to_bytes().unwrap();
            assert_eq!(found, models::classifier().to_bytes().unwrap());
        }
        other => panic!("unknown work {other}"),
    }
}
