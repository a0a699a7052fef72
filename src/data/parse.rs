//! From the text of an answer to lists of texts. One doubt rejects the whole: no line is skipped.

use std::collections::BTreeMap;

use serde_json::Value;

use super::guards::{Family, ListSpec, shown};
use super::spec::{Format, SourceSpec};

/// Why an answer is not what was asked for, and what to do.
pub(super) type Odd = (String, Option<String>);

/// Texts by list.
pub(super) type Texts = BTreeMap<String, Vec<String>>;

/// The texts of each list that the source has.
pub(super) fn parse(
    body: &str,
    source: &SourceSpec,
    specs: &BTreeMap<String, ListSpec>,
) -> Result<Texts, Odd> {
    if body.contains('<') {
        let hint = "a browser check or a captive portal answers instead of the publisher: open the address by hand";
        return Err((
            "the answer is a web page, not a list".to_owned(),
            Some(hint.to_owned()),
        ));
    }
    match &source.format {
        Format::Json(lists) => json(body, lists, source, specs).map_err(|why| (why, None)),
        Format::Lines(lists) => {
            let lines = body.lines().filter(|line| !line.trim().is_empty());
            Ok(share_out(
                &lines.map(str::to_owned).collect::<Vec<_>>(),
                lists,
                specs,
            ))
        }
    }
}

fn json(
    body: &str,
    lists: &[(String, String)],
    source: &SourceSpec,
    specs: &BTreeMap<String, ListSpec>,
) -> Result<Texts, String> {
    let document: Value =
        serde_json::from_str(body).map_err(|error| format!("the answer is not JSON: {error}"))?;
    for (pointer, wanted) in &source.require {
        match document.pointer(pointer) {
            Some(found) if found == wanted => {}
            Some(found) => {
                return Err(format!(
                    "{pointer} is {}, not {wanted}",
                    shown(&found.to_string())
                ));
            }
            None => {
                return Err(format!(
                    "{pointer} is missing in the answer; {wanted} is expected there"
                ));
            }
        }
    }
    // Several lists may be in one array: then each takes its family.
    let mut pointers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (list, pointer) in lists {
        pointers.entry(pointer).or_default().push(list.clone());
    }
    let mut all = BTreeMap::new();
    for (pointer, lists) in pointers {
        all.extend(share_out(&array(&document, pointer)?, &lists, specs));
    }
    Ok(all)
}

/// An array of texts.
fn array(document: &Value, pointer: &str) -> Result<Vec<String>, String> {
    let Some(found) = document.pointer(pointer) else {
        return Err(format!("{pointer} is missing in the answer"));
    };
    let Some(items) = found.as_array() else {
        return Err(format!("{pointer} is no list in the answer"));
    };
    let text = |item: &Value| match item.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!(
            "{} in {pointer} is no text",
            shown(&item.to_string())
        )),
    };
    items.iter().map(text).collect()
}

/// A single list takes all, and the guards say what is not of its family. Of several, each takes its
/// family; the spec made sure that they differ.
fn share_out(texts: &[String], lists: &[String], specs: &BTreeMap<String, ListSpec>) -> Texts {
    let family = |list: &String| specs.get(list).map(|spec| spec.family);
    let takes =
        |list: &String, text: &String| lists.len() == 1 || family(list) == Some(Family::of(text));
    let share = |list: &String| {
        texts
            .iter()
            .filter(|text| takes(list, text))
            .cloned()
            .collect()
    };
    lists
        .iter()
        .map(|list| (list.clone(), share(list)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::cloudflare;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn api(document: &Value) -> Result<Texts, String> {
        let spec = cloudflare();
        parse(&document.to_string(), &spec.sources[0], &spec.lists).map_err(|(why, _)| why)
    }

    fn text(body: &str) -> Result<Texts, String> {
        let spec = cloudflare();
        parse(body, &spec.sources[1], &spec.lists).map_err(|(why, _)| why)
    }

    fn good() -> Value {
        json!({
            "result": { "ipv4_cidrs": ["192.0.2.0/24"], "ipv6_cidrs": ["2001:db8::/32"], "etag": "x", "more": 1 },
            "success": true, "errors": [], "messages": ["hello"],
        })
    }

    #[test]
    fn both_lists_are_found_and_what_is_unknown_is_let_be() {
        let texts = api(&good()).unwrap();
        assert_eq!(texts["ipv4"], ["192.0.2.0/24"]);
        assert_eq!(texts["ipv6"], ["2001:db8::/32"]);
    }

    #[test]
    fn a_failed_answer_is_named_by_what_is_wrong() {
        let said = |pointer: &str, value: Value| {
            let mut document = good();
            *document.pointer_mut(pointer).unwrap() = value;
            api(&document).unwrap_err()
        };
        assert_eq!(
            said("/success", json!(false)),
            "/success is `false`, not true"
        );
        assert_eq!(said("/errors", json!([1])), "/errors is `[1]`, not []");
        assert_eq!(
            said("/result", json!({})),
            "/result/ipv4_cidrs is missing in the answer"
        );
        assert_eq!(
            said("/result/ipv6_cidrs", json!("x")),
            "/result/ipv6_cidrs is no list in the answer"
        );
        assert_eq!(
            said("/result/ipv6_cidrs", json!([7])),
            "`7` in /result/ipv6_cidrs is no text"
        );
        assert_eq!(
            api(&json!([])).unwrap_err(),
            "/success is missing in the answer; true is expected there"
        );
    }

    #[test]
    fn pages_are_no_lists_whatever_they_call_themselves() {
        assert_eq!(
            text("<!DOCTYPE html>").unwrap_err(),
            "the answer is a web page, not a list"
        );
        assert_eq!(
            api(&json!({ "x": "<" })).unwrap_err(),
            "the answer is a web page, not a list"
        );
    }

    #[test]
    fn no_line_is_skipped_but_blank_ones() {
        let texts = text("192.0.2.0/24\r\n\n# end\n  \n198.51.100.0/24").unwrap();
        assert_eq!(texts["ipv4"], ["192.0.2.0/24", "# end", "198.51.100.0/24"]);
        assert_eq!(text("").unwrap()["ipv4"], [] as [&str; 0]);
    }

    #[test]
    fn lists_that_share_an_answer_take_their_family() {
        let spec = cloudflare();
        let both = ["ipv4".to_owned(), "ipv6".to_owned()];
        let texts = share_out(
            &["2001:db8::/32".to_owned(), "x".to_owned()],
            &both,
            &spec.lists,
        );
        assert_eq!(texts["ipv4"], ["x"]);
        assert_eq!(texts["ipv6"], ["2001:db8::/32"]);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(body in "(?s).{0,300}|\\{\"success\":true,\"errors\":\\[\\],\"result\":.{0,60}\\}") {
            let spec = cloudflare();
            for source in &spec.sources {
                let _ = parse(&body, source, &spec.lists);
            }
        }
    }
}
