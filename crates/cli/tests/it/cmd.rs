#[test]
fn help_and_usage_errors_read_as_written_down() {
    trycmd::TestCases::new().case("tests/cmd/*.toml");
}
