use super::*;

fn refuse(_: &ExecutorConfig, _: Arc<Registry>) -> Result<Arc<dyn Executor>, BuildError> {
    Err(BuildError::zero("workers"))
}

fn kinds(aliases: &[&str]) -> ExecutorKinds {
    let mut kinds = ExecutorKinds::new();
    aliases.iter().for_each(|alias| kinds.add(alias, refuse).unwrap());
    kinds
}

fn build(kinds: &ExecutorKinds, alias: &str) -> BuildError {
    kinds.build(&ExecutorConfig::new(alias, &()), Arc::default()).unwrap_err()
}

fn known_instead(kinds: &ExecutorKinds, alias: &str) -> Vec<String> {
    match build(kinds, alias) {
        BuildError::UnknownKind { known, .. } => known,
        error => panic!("{alias}: {error}"),
    }
}

#[test]
fn an_alias_is_added_once_and_can_be_used_again_when_it_was_removed() {
    let mut kinds = kinds(&["inline"]);
    let again = kinds.add("inline", refuse).unwrap_err();
    assert_eq!(again, BuildError::DuplicateKind { alias: "inline".to_owned() });
    assert!(kinds.remove("inline") && !kinds.remove("inline"));
    assert!(matches!(build(&kinds, "inline"), BuildError::UnknownKind { .. }));
    kinds.add("inline", refuse).unwrap();
    assert_eq!(build(&kinds, "inline"), BuildError::zero("workers"));
}

#[test]
fn an_unknown_alias_is_answered_with_the_nearest_or_with_all() {
    let kinds = kinds(&["inline", "loops", "thread-pool"]);
    assert_eq!(known_instead(&kinds, "thread-pol"), ["thread-pool"]);
    assert_eq!(known_instead(&kinds, "kubernetes"), ["inline", "loops", "thread-pool"]);
}

#[test]
fn the_kinds_of_another_table_take_the_place_of_those_with_their_aliases() {
    let mut own = ExecutorKinds::new();
    own.add("loops", |_, _| Err(BuildError::zero("loops"))).unwrap();
    own.add("mine", refuse).unwrap();
    let mut kinds = kinds(&["inline", "loops"]);
    kinds.extend(own);
    assert_eq!(kinds.aliases().collect::<Vec<_>>(), ["inline", "loops", "mine"]);
    assert_eq!(build(&kinds, "loops"), BuildError::zero("loops"));
}

#[test]
fn whoever_asked_is_told_what_comes_and_goes_in_order() {
    let wait = std::time::Duration::from_secs(30);
    let mut kinds = kinds(&["before"]);
    let (mut first, left) = (kinds.changes(), kinds.changes());
    drop(left);
    kinds.add("a", refuse).unwrap();
    kinds.add("a", refuse).unwrap_err();
    kinds.remove("before");
    kinds.remove("nobody");
    let mut copy = kinds.clone();
    copy.add("only in the copy", refuse).unwrap();
    kinds.extend(self::kinds(&["a"]));
    drop(kinds);
    let told: Vec<_> = std::iter::from_fn(|| first.next_timeout(wait)).collect();
    let added = |alias: &str| KindChange::Added(alias.to_owned());
    let removed = |alias: &str| KindChange::Removed(alias.to_owned());
    assert_eq!(told, [added("a"), removed("before"), removed("a"), added("a")]);
}
