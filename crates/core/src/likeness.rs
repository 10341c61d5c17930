//! [`nearest_names`]: what somebody may have meant.

/// From how much likeness, of 1, a name may have been meant: "thread" and "theads" are well
/// above it for "threads", and unrelated words well below.
const ALIKE: f64 = 0.8;

/// How many names are worth reading as advice.
const FEW: usize = 3;

/// The names that somebody who wrote `name` may have meant: up to three, the most similar
/// first, and none when none is like it.
///
/// ```
/// let names = ["threads", "loops", "inline"];
/// assert_eq!(outwork_core::nearest_names("theads", names), ["threads"]);
/// assert!(outwork_core::nearest_names("kubernetes", names).is_empty());
/// ```
#[must_use]
pub fn nearest_names<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut alike: Vec<_> = names
        .into_iter()
        .map(|known| (likeness(&name, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    alike.into_iter().take(FEW).map(|(_, known)| known).collect()
}

/// Names are compared part by part, so that those of one family are not all alike; somebody
/// may also have left the first parts out.
fn likeness(name: &str, known: &str) -> f64 {
    let parts = |name: &str| name.split('.').count();
    if parts(name) == parts(known) {
        let pairs = name.split('.').zip(known.split('.'));
        return pairs.map(|(part, known)| strsim::jaro_winkler(part, known)).fold(1.0, f64::min);
    }
    let last = known.rsplit('.').next().unwrap_or(known);
    strsim::jaro_winkler(name, known).max(strsim::jaro_winkler(name, last))
}

/// Advice that goes with an unknown name: those that may have been meant, or else some of
/// those that there are.
pub(crate) fn advice<'a>(name: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    /// Longer lists are not read.
    const MANY: usize = 10;
    let nearest = nearest_names(name, names.clone());
    if !nearest.is_empty() {
        return format!("did you mean {}?", nearest.join(", "));
    }
    let all: Vec<_> = names.collect();
    let some = all.iter().take(MANY).copied().collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => "there are none".to_owned(),
        n if n > MANY => format!("use one of {some}, or {} others", n - MANY),
        _ => format!("use one of {some}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["demo.abort", "demo.alloc", "demo.echo", "demo.sleep", "threads"];

    #[test]
    fn a_name_is_answered_with_those_it_is_like_and_no_others() {
        for (name, expected) in [
            ("demo.eco", "demo.echo"),
            ("DEMO.ECHO", "demo.echo"),
            ("echo", "demo.echo"),
            ("sleeep", "demo.sleep"),
            ("theads", "threads"),
        ] {
            assert_eq!(nearest_names(name, NAMES), [expected], "{name}");
        }
        assert_eq!(nearest_names("demoecho", NAMES).first(), Some(&"demo.echo"));
        for name in ["kubernetes", "", "x"] {
            assert!(nearest_names(name, NAMES).is_empty(), "{name}");
        }
    }

    #[test]
    fn who_meant_none_of_the_names_is_told_some() {
        assert_eq!(advice("x", ["a1", "b2"].into_iter()), "use one of a1, b2");
        assert_eq!(advice("x", [].into_iter()), "there are none");
        let many: Vec<_> = (10..30).map(|n| n.to_string()).collect();
        assert!(advice("x", many.iter().map(String::as_str)).ends_with("19, or 10 others"));
    }
}
