//! What the papers say of the tests, held to the tests that there are.

mod names;

use std::collections::BTreeSet;

use self::names::{all_tests, read, tests_of};

/// The rows of the tables of a document, each as its cells.
fn rows(document: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = document.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

/// What stands between backticks and is a path.
fn paths(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2).filter(|word| word.contains("::"))
}

#[test]
fn every_test_that_stands_beside_a_promise_exists() {
    let tests = all_tests();
    let document = read("tests/README.md");
    let mut named = 0;
    for row in rows(&document).filter(|row| row.len() == 2) {
        for path in paths(row[1]) {
            named += 1;
            assert!(tests.contains(path), "{path}, which is to prove {:?}, is not there", row[0]);
        }
    }
    assert!(named > 100, "only {named} tests were found in the tables");
}

#[test]
fn every_promise_has_a_test_or_says_what_it_waits_for() {
    let document = read("tests/README.md");
    for row in rows(&document).filter(|row| row.len() == 2) {
        let is_head = row[1] == "test" || row[1].starts_with("--");
        let waits = row[1].starts_with("later: ");
        assert!(is_head || waits || paths(row[1]).next().is_some(), "nothing proves {:?}", row[0]);
    }
}

#[test]
fn every_check_of_the_conformance_suite_proves_a_promise() {
    let document = read("tests/README.md");
    let named: BTreeSet<_> =
        rows(&document).flat_map(|row| row.into_iter().flat_map(paths)).collect();
    let checks = outwork_core::conformance::checks();
    let of = |check: &str| format!("core::conformance::{check}");
    let unnamed: Vec<_> =
        checks.iter().map(|check| of(check.name)).filter(|name| !named.contains(&**name)).collect();
    assert!(unnamed.is_empty(), "not in the tables: {unnamed:#?}");
}

/// The name of the test of one cell: its row and its words, in lower case.
fn test_of(row: &str, cell: &str) -> String {
    let words = format!("{row} {cell}").replace('\'', "").to_lowercase();
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

/// "cancel queued / running" with "yes / as the body can" makes two, each with the first word.
fn tests_of_cell(row: &str, cell: &str) -> Vec<String> {
    match (row.split_once(" / "), cell.split_once(" / ")) {
        (Some((first, second)), Some((this, that))) => {
            let verb = first.split(' ').next().unwrap();
            vec![test_of(first, this), test_of(&format!("{verb} {second}"), that)]
        }
        _ => vec![test_of(row, cell)],
    }
}

#[test]
fn every_guarantee_of_the_readme_has_a_test_under_its_words() {
    let document = read("README.md");
    let (_, section) = document.split_once("## Guarantees").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut tests = tests_of("tests/it/guarantees.rs");
    tests.extend(tests_of("tests/it/process_pool/guarantees.rs"));
    tests.extend(tests_of("tests/amqp/guarantees.rs"));
    let mut cells = 0;
    for row in rows(section).skip(2) {
        for cell in row[1..].iter().filter(|cell| **cell != "–") {
            for name in tests_of_cell(row[0], cell) {
                cells += 1;
                assert!(tests.contains(&name), "no test {name:?} for {:?}: {cell:?}", row[0]);
            }
        }
    }
    assert!(cells >= 33, "only {cells} cells were found");
}
