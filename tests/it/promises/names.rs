//! The names of all tests of the workspace, read off the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use outwork_core::conformance::checks;

/// Where tests are, and what their paths begin with.
const PLACES: [(&str, &str); 11] = [
    ("crates/core/src", "core"),
    ("crates/local/src", "local"),
    ("crates/amqp/src", "amqp"),
    ("crates/cli/src", "cli"),
    ("crates/core/tests/conformance", "core::conformance"),
    ("crates/cli/tests/it", "cli::it"),
    ("crates/cli/tests/amqp", "cli::amqp"),
    ("tests/it", "tests::it"),
    ("tests/amqp", "tests::amqp"),
    ("tests/broker/tests", "tests"),
    ("bench/src", "bench"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the workspace.
pub fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every test by its path, such as `local::kinds::tests::every_kind_builds`, and every check
/// of the conformance suite.
pub fn all_tests() -> BTreeSet<String> {
    let mut names: BTreeSet<_> =
        checks().iter().map(|check| format!("core::conformance::{}", check.name)).collect();
    for (folder, prefix) in PLACES {
        add_folder(&root().join(folder), prefix, &mut names);
    }
    names
}

/// The tests of one file, by their paths in it.
pub fn tests_of(file: &str) -> BTreeSet<String> {
    in_source(&read(file)).collect()
}

fn add_folder(folder: &Path, prefix: &str, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let module = match name {
            "main" | "lib" => prefix.to_owned(),
            _ => format!("{prefix}::{name}"),
        };
        if path.is_dir() {
            add_folder(&path, &module, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            names.extend(in_source(&source).map(|test| format!("{module}::{test}")));
        }
    }
}

/// The functions after `#[test]`, with the modules that they stand in. Read by indentation,
/// which the formatter guarantees.
fn in_source(source: &str) -> impl Iterator<Item = String> {
    let (mut modules, mut is_test) = (Vec::<(usize, &str)>::new(), false);
    source.lines().filter_map(move |line| {
        let code = line.trim_start();
        let depth = line.len() - code.len();
        if code == "}" {
            modules.retain(|(at, _)| *at < depth);
        }
        if let Some(module) = code.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            modules.push((depth, module));
        }
        is_test |= code == "#[test]";
        let code = code.strip_prefix("pub ").unwrap_or(code);
        let function = code.strip_prefix("fn ").filter(|_| is_test)?;
        is_test = false;
        let name = function.split(['(', '<']).next()?;
        let path = modules.iter().map(|(_, module)| *module).chain([name]);
        Some(path.collect::<Vec<_>>().join("::"))
    })
}

#[test]
fn tests_are_found_in_the_modules_of_their_file() {
    let source = "#[test]\nfn one() {\n}\n\nfn none() {}\n\nmod inner {\n    #[test]\n    \
                  fn two<T>() {\n        if x {\n        }\n    }\n}\n#[test]\npub fn three() {\n}\n";
    assert_eq!(in_source(source).collect::<Vec<_>>(), ["one", "inner::two", "three"]);
}
