//! "Did you mean": the known name that looks most like the one that was written.

/// Names less alike than this by Jaro-Winkler are not worth a suggestion.
const ALIKE: f64 = 0.75;

/// A hint with the most similar of `known`, if one is similar enough.
pub(crate) fn did_you_mean<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let likeness = |name: &str| strsim::jaro_winkler(&found.to_lowercase(), &name.to_lowercase());
    let scored = known.into_iter().map(|name| (likeness(name), name));
    let (score, name) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= ALIKE).then(|| format!("did you mean `{name}`?"))
}

/// `a`, `b` and so on, for messages.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &str, expected: Option<&str>) {
        let hint = did_you_mean(found, ["g6e.xlarge", "p5.4xlarge", "L40S"]);
        assert_eq!(hint.as_deref(), expected);
    }

    #[test]
    fn a_name_off_by_a_letter_is_suggested_and_a_stranger_is_not() {
        check("g6e.xlrge", Some("did you mean `g6e.xlarge`?"));
        check("l40s", Some("did you mean `L40S`?"));
        check("quokka", None);
    }
}
