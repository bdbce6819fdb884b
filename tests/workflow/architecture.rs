//! Tests of the source text: the table of modules in ARCHITECTURE.md against the `use` declarations, import circles, module
//! heads, the length of functions, and the size of the prelude.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Lists of names for users; they may name every module.
const INDEXES: [&str; 5] = ["lib", "prelude", "api", "nn", "docs"];

/// Circles that are still to be untangled; none may be added.
const KNOWN_CIRCLES: [&str; 1] = ["persistence::limits <-> persistence::registry"];

/// Folders whose files still lack a head; none may be added.
const WITHOUT_HEADS: [&str; 2] = ["model_selection", "preprocessing"];

/// The most code lines of a function, comments and blank lines not counted.
const MAX_FUNCTION_LINES: usize = 60;

/// The most names in the prelude.
const MAX_PRELUDE_NAMES: usize = 100;

/// One row of the table: modules that may use the rows above, and each other only if `is_unit`.
struct Row {
    modules: Vec<String>,
    is_unit: bool,
}

/// The rows of the table under "Layers of the crate".
fn rows() -> Vec<Row> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## Layers of the crate\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
    cells
        .map(|row| {
            let (modules, contents) = row.split_once(" | ").unwrap();
            let modules = modules.split('`').map(|name| name.trim_matches([',', ' ']).to_owned());
            Row {
                modules: modules.filter(|name| !name.is_empty()).collect(),
                is_unit: contents.contains("one unit"),
            }
        })
        .collect()
}

/// The row of a module and the name in the table that covers it.
fn place<'r>(rows: &'r [Row], module: &str) -> Option<(usize, &'r str)> {
    let names = rows
        .iter()
        .enumerate()
        .flat_map(|(row, Row { modules, .. })| modules.iter().map(move |name| (row, &**name)));
    names.filter(|(_, name)| is_within(module, name)).max_by_key(|(_, name)| name.len())
}

fn is_within(module: &str, outer: &str) -> bool {
    module == outer || module.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
}

/// The module path and the text of each source file.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, module: &str, found: &mut BTreeMap<String, String>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let inner = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
            if path.is_dir() {
                walk(&path, &inner, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = if name == "mod" { module.to_owned() } else { inner };
                found.insert(module, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    assert!(found.len() > 100);
    found
}

/// The code without comments and unit tests.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths that begin with `crate::`, `super::` or `self::`, with their braces expanded, from the root of the crate.
fn paths(module: &str, source: &str) -> BTreeSet<String> {
    let code = code(source);
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            expand(&code[at..], String::new(), &mut |path| {
                found.extend(from_root(module, path));
            });
        }
    }
    found
}

/// Calls `visit` with each path of a use tree; returns what follows the tree.
fn expand<'c>(mut rest: &'c str, mut path: String, visit: &mut impl FnMut(&str)) -> &'c str {
    loop {
        rest = rest.trim_start();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            loop {
                rest = expand(rest, path.clone(), visit).trim_start();
                match rest.strip_prefix(',') {
                    Some(next) if !next.trim_start().starts_with('}') => rest = next,
                    Some(next) => return next.trim_start().strip_prefix('}').unwrap_or(next),
                    None => return rest.strip_prefix('}').unwrap_or(rest),
                }
            }
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        path += &rest[..end];
        match rest[end..].strip_prefix("::") {
            Some(next) => {
                path += "::";
                rest = next;
            }
            None => {
                visit(&path);
                return &rest[end..];
            }
        }
    }
}

fn from_root(module: &str, path: &str) -> Option<String> {
    let mut base: Vec<&str> = module.split("::").collect();
    let mut parts = path.split("::").peekable();
    match parts.next()? {
        "crate" => base.clear(),
        "self" => {}
        _ => {
            base.pop();
        }
    }
    while parts.next_if(|part| *part == "super").is_some() {
        base.pop();
    }
    Some(base.into_iter().chain(parts).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("::"))
}

/// The innermost file that a path from the root leads into.
fn file_of(files: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let mut path = path;
    loop {
        if files.contains_key(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

#[test]
fn a_module_uses_only_rows_above_its_own() {
    let (rows, files) = (rows(), sources());
    assert!(rows.len() > 10, "the table of ARCHITECTURE.md was not found");
    let mut wrong = Vec::new();
    for (module, source) in &files {
        if INDEXES.iter().any(|index| module == index || is_within(module, "api")) {
            continue;
        }
        let Some((row, name)) = place(&rows, module) else {
            wrong.push(format!("{module} is not in the table of ARCHITECTURE.md"));
            continue;
        };
        for used in paths(module, source) {
            let Some((other_row, other)) = place(&rows, &used) else { continue };
            if other != name && other_row >= row && !(other_row == row && rows[row].is_unit) {
                wrong.push(format!("{module} (row {row}) uses {used} (row {other_row})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_of_the_table_exists() {
    let files = sources();
    for Row { modules, .. } in rows() {
        for module in modules {
            assert!(
                files.keys().any(|file| is_within(file, &module)),
                "{module} is in ARCHITECTURE.md but not in src"
            );
        }
    }
}

#[test]
fn clustering_does_not_use_networks() {
    for (module, source) in sources().iter().filter(|(module, _)| is_within(module, "cluster")) {
        assert!(paths(module, source).iter().all(|used| !is_within(used, "nn")), "{module} uses networks");
    }
}

/// A file and its ancestors or descendants are one concept; any other pair of files must not use each other, not even
/// through a third one. The containers of the table's row "one unit" are exempt.
#[test]
fn files_do_not_import_in_circles() {
    let (rows, files) = (rows(), sources());
    let is_unit = |module: &str| place(&rows, module).is_some_and(|(row, _)| rows[row].is_unit);
    let mut uses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (module, source) in &files {
        let used = paths(module, source).into_iter().filter_map(|path| file_of(&files, &path));
        let others = used.filter(|other| !is_within(other, module) && !is_within(module, other));
        uses.insert(module, others.filter(|other| !(is_unit(module) && is_unit(other))).collect());
    }
    let mut circles = BTreeSet::new();
    for &start in uses.keys() {
        let (mut open, mut seen) = (vec![(start.to_owned(), vec![start.to_owned()])], BTreeSet::new());
        while let Some((module, way)) = open.pop() {
            for next in uses.get(&*module).into_iter().flatten() {
                if next == start {
                    let mut circle = way.clone();
                    circle.sort();
                    circles.insert(circle.join(" <-> "));
                } else if seen.insert(next.clone()) {
                    open.push((next.clone(), [&way[..], std::slice::from_ref(next)].concat()));
                }
            }
        }
    }
    circles.retain(|circle| !KNOWN_CIRCLES.contains(&&**circle));
    assert!(
        circles.is_empty(),
        "{} import circles:\n{}",
        circles.len(),
        circles.into_iter().collect::<Vec<_>>().join("\n")
    );
}

/// The first line of each function that is too long, with its number of lines. A function ends at the first line of the same
/// indentation that begins with a brace.
fn long_functions(source: &str) -> Vec<(String, usize)> {
    let code = code(source);
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim().is_empty()).collect();
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let is_function = |line: &str| {
        let words = line.trim_start().split(['(', '<']).next().unwrap_or_default();
        words.split(' ').rev().nth(1) == Some("fn") && !line.contains('"')
    };
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let rest = &lines[start..];
        let ends = |other: &&str| {
            indentation(other) == indentation(line)
                && (other.trim_start().starts_with('}') || other.ends_with(';'))
        };
        let length = if line.ends_with('}') || line.ends_with(';') {
            1
        } else {
            rest.iter().position(ends).unwrap_or(0) + 1
        };
        if length > MAX_FUNCTION_LINES {
            found.push((line.trim().to_owned(), length));
        }
    }
    found
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (module, source) in sources() {
        long.extend(
            long_functions(&source).into_iter().map(|(line, length)| format!("{length} {module}: {line}")),
        );
    }
    assert!(long.is_empty(), "functions of more than {MAX_FUNCTION_LINES} code lines:\n{}", long.join("\n"));
    let function = format!("    fn long() {{\n{}    }}\n", "        work();\n".repeat(MAX_FUNCTION_LINES));
    assert_eq!(long_functions(&function), [("fn long() {".to_owned(), MAX_FUNCTION_LINES + 2)]);
}

#[test]
fn every_file_says_what_it_contains() {
    let lacks_head = |(module, source): &(String, String)| {
        !source.starts_with("//!") && !WITHOUT_HEADS.iter().any(|folder| is_within(module, folder))
    };
    let missing: Vec<String> = sources().into_iter().filter(lacks_head).map(|(module, _)| module).collect();
    assert!(missing.is_empty(), "files without a module head (`//!`):\n{}", missing.join("\n"));
}

/// A clock or a process id that the host may not have is behind `host`, where the unit tests may compare with it.
#[test]
fn clocks_and_process_ids_are_read_in_host_only() {
    const CALLS: [&str; 3] = ["Instant::now", "SystemTime::now", "process::id"];
    let files = sources();
    for call in CALLS {
        assert!(code(&files["host"]).contains(call), "host does not call {call}");
        for (module, source) in files.iter().filter(|(module, _)| *module != "host") {
            assert!(!code(source).contains(call), "{module} calls {call}; use crate::host");
        }
    }
}

#[test]
fn the_prelude_is_small() {
    let files = sources();
    let prelude = code(&files["prelude"]);
    let mut names = Vec::new();
    for declaration in prelude.split("pub use ").skip(1) {
        let path = declaration.split(';').next().unwrap_or_default();
        assert!(!path.contains('*'), "the prelude lists its names: {path}");
        expand(path, String::new(), &mut |path| {
            names.push(path.rsplit("::").next().unwrap_or_default().to_owned())
        });
    }
    assert!(names.len() > 50 && names.contains(&"Model".to_owned()), "{names:?}");
    assert!(names.len() <= MAX_PRELUDE_NAMES, "{} names: {names:?}", names.len());
}

/// A loss, metric or optimizer that files can name is also in the public list of its family.
#[test]
fn catalogs_are_public() {
    let files = sources();
    for (catalog, list) in [
        ("nn::loss", "api::losses"),
        ("nn::metric", "metrics"),
        ("nn::optimizer::registry", "api::optimizers"),
    ] {
        let rows: Vec<(&str, &str)> = files[catalog]
            .lines()
            .filter_map(|line| line.strip_prefix("    \"")?.split_once("\" => "))
            .map(|(kind, item)| (kind, item.split([',', ':']).next().unwrap_or_default()))
            .collect();
        assert!(rows.len() > 10, "the catalog of {catalog} was not found");
        let public = code(&files[list]);
        let is_public = |name: &str| public.split(|c: char| !c.is_alphanumeric()).any(|word| word == name);
        // The metrics of these kinds are the losses of the same name.
        let of_losses = ["MeanAbsoluteErrorMetric", "MeanSquaredErrorMetric"];
        for (kind, item) in rows.into_iter().filter(|(_, item)| !of_losses.contains(item)) {
            assert!(is_public(item), "{kind}: {item} is not in {list}");
        }
    }
}
