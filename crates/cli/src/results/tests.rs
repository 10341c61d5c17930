use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;

fn echo() -> CommandLine {
    CommandLine::new("echo".into(), vec!["a b".into()])
}

/// A run that leaked what it wrote, so that a test can say it in one expression.
fn run<'a>(seq: u64, command: &'a CommandLine, stdout: &[u8], end: JobEnd) -> RunResult<'a> {
    let leak = |bytes: &[u8]| &*Box::leak(Box::new(Captured::from_bytes(bytes.to_vec())));
    RunResult { seq, command, stdout: leak(stdout), stderr: leak(b"oh\xff"), end }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

#[track_caller]
fn check_refused(dir: PathBuf, is_expected: fn(&ResultsError) -> bool) {
    let error = ResultsDir::create(dir.clone()).expect_err("not usable");
    assert!(is_expected(&error), "{error:?}");
    assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
}

#[test]
fn a_directory_that_cannot_be_made_is_refused_with_its_name() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    check_refused(file.clone(), |error| matches!(error, ResultsError::Create { .. }));
    check_refused(file.join("below"), |error| matches!(error, ResultsError::Create { .. }));
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_with_its_name() {
    // Permissions do not stop root; in /proc nobody can make a file.
    check_refused("/proc/self".into(), |error| matches!(error, ResultsError::NotWritable { .. }));
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_with_its_path() {
    let root = TempDir::new().unwrap();
    let results = ResultsDir::create(root.path().to_path_buf()).unwrap();
    let in_the_way = root.path().join("3").join("stdout");
    fs::create_dir_all(&in_the_way).unwrap();
    let error = results.save(&run(3, &echo(), b"", JobEnd::Exited(0))).expect_err("a directory");
    assert!(error.to_string().contains(in_the_way.to_str().unwrap()), "{error}");
}

#[test]
fn parents_are_made_and_trying_leaves_nothing_behind() {
    let root = TempDir::new().unwrap();
    let dir = root.path().join("a/b");
    ResultsDir::create(dir.clone()).unwrap();
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
}

#[test]
fn each_run_has_a_folder_with_four_files() {
    let root = TempDir::new().unwrap();
    let results = ResultsDir::create(root.path().to_path_buf()).unwrap();
    results.save(&run(1, &echo(), b"one\x00\xfe", JobEnd::Exited(3))).unwrap();
    results.save(&run(12, &echo(), b"", JobEnd::Signalled(9))).unwrap();
    let expected = |stdout: &[u8], exitval: &[u8]| {
        let command = &b"echo 'a b'\n"[..];
        [("command", command), ("exitval", exitval), ("stderr", b"oh\xff"), ("stdout", stdout)]
            .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
            .into()
    };
    assert_eq!(files(&root.path().join("1")), expected(b"one\x00\xfe", b"3\n"));
    assert_eq!(files(&root.path().join("12")), expected(b"", b"137\n"));
}

#[test]
fn a_second_run_of_the_same_number_replaces_the_first() {
    let root = TempDir::new().unwrap();
    let results = ResultsDir::create(root.path().to_path_buf()).unwrap();
    results.save(&run(1, &echo(), b"long output", JobEnd::Exited(0))).unwrap();
    results.save(&run(1, &echo(), b"x", JobEnd::TimedOut)).unwrap();
    let files = files(&root.path().join("1"));
    assert_eq!((&files["stdout"][..], &files["exitval"][..]), (&b"x"[..], &b"124\n"[..]));
}

#[test]
fn a_half_written_result_has_no_exitval() {
    let root = TempDir::new().unwrap();
    let results = ResultsDir::create(root.path().to_path_buf()).unwrap();
    results.save(&run(1, &echo(), b"", JobEnd::Exited(0))).unwrap();
    let folder = root.path().join("1");
    fs::remove_file(folder.join("stderr")).unwrap();
    fs::create_dir(folder.join("stderr")).unwrap();
    results.save(&run(1, &echo(), b"", JobEnd::Exited(0))).expect_err("stderr is a directory");
    assert!(!folder.join("exitval").exists());
}
