//! Mapping rules as people write them: the tables `[[tenant.mapping]]`, read as strictly as the rest.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::nearest;
use crate::domain::attribute::Attribute;
use crate::domain::mapping::{Condition, DEPTH_MAX, Mapping, Rule, Test};

/// The keys of a rule.
const RULE: [&str; 5] = ["name", "match", "exclude", "labels", "priority"];
/// The keys of a condition; of these it has exactly one, and beside `attribute` one more.
const CONDITION: [&str; 8] = ["any", "group", "attribute", "domain", "user_type", "any_of", "all_of", "not"];
/// How an attribute is compared.
const TEST: [&str; 3] = ["equals", "in", "prefix"];

/// Reads rules, and puts them in order of priority: those that have one by it, the smallest first, then the others; within
/// that, as they stand in the file.
///
/// # Errors
/// What is wrong, with the rule and the place in it.
pub fn parse(tables: &[Table]) -> Result<Mapping, String> {
    let mut rules = Vec::with_capacity(tables.len());
    for (place, table) in (1..).zip(tables) {
        let name = match table.get("name") {
            Some(Value::String(name)) => name.clone(),
            Some(other) => return Err(format!("mapping rule {place}: name is {}, not a text", kind(other))),
            None => return Err(format!("mapping rule {place} has no name; verdicts name the rule")),
        };
        rules.push(rule(&name, table).map_err(|why| format!("mapping rule {name:?}: {why}"))?);
    }
    // The sort is stable, so the order of the file stays where priorities do not tell.
    rules.sort_by_key(|(priority, _)| priority.unwrap_or(i64::MAX));
    Mapping::new(rules.into_iter().map(|(_, rule)| rule).collect()).map_err(|error| format!("mapping: {error}"))
}

/// The tables, as in a configuration, that are read as this mapping.
pub fn tables_of(mapping: &Mapping) -> Vec<Table> {
    mapping.rules().iter().map(table_of).collect()
}

fn table_of(rule: &Rule) -> Table {
    let mut table = Table::new();
    table.insert("name".to_owned(), rule.name.clone().into());
    table.insert("match".to_owned(), value_of(&rule.matches));
    if let Some(exclude) = &rule.exclude {
        table.insert("exclude".to_owned(), value_of(exclude));
    }
    if !rule.labels.is_empty() {
        let labels = rule.labels.iter().map(|(key, value)| (key.clone(), value.clone().into()));
        table.insert("labels".to_owned(), Value::Table(labels.collect()));
    }
    table
}

fn value_of(condition: &Condition) -> Value {
    let all = |all: &[Condition]| Value::Array(all.iter().map(value_of).collect());
    let one = |key: &str, value: Value| Value::Table(Table::from_iter([(key.to_owned(), value)]));
    let tested = |attribute: String, test: &Test| {
        let (key, value) = match test {
            Test::Equals(text) => ("equals", text.clone().into()),
            Test::In(texts) => ("in", texts.clone().into()),
            Test::Prefix(text) => ("prefix", text.clone().into()),
        };
        Value::Table(Table::from_iter([("attribute".to_owned(), attribute.into()), (key.to_owned(), value)]))
    };
    match condition {
        Condition::Any => one("any", true.into()),
        Condition::Group(group) => one("group", group.to_string().into()),
        Condition::Domain(domain) => one("domain", domain.clone().into()),
        Condition::UserType(Test::Equals(kind)) => one("user_type", kind.clone().into()),
        Condition::UserType(test) => tested("userType".to_owned(), test),
        Condition::Attribute(attribute, test) => tested(attribute.to_string(), test),
        Condition::Not(inner) => one("not", value_of(inner)),
        Condition::AnyOf(inner) => one("any_of", all(inner)),
        Condition::AllOf(inner) => one("all_of", all(inner)),
    }
}

fn rule(name: &str, table: &Table) -> Result<(Option<i64>, Rule), String> {
    known_keys(table, &RULE, "")?;
    let priority = match table.get("priority") {
        None => None,
        Some(Value::Integer(priority)) => Some(*priority),
        Some(other) => return Err(format!("priority is {}, not a whole number", kind(other))),
    };
    let matches = table.get("match").ok_or("it has no match; { any = true } means everyone")?;
    let exclude = table.get("exclude").map(|value| condition(value, "exclude", 1)).transpose()?;
    let labels = match table.get("labels") {
        None => BTreeMap::new(),
        Some(Value::Table(labels)) => labels
            .iter()
            .map(|(key, value)| Ok((key.clone(), text(value, "labels", key)?)))
            .collect::<Result<_, String>>()?,
        Some(other) => return Err(format!("labels is {}, not a table of texts", kind(other))),
    };
    let matches = condition(matches, "match", 1)?;
    Ok((priority, Rule { name: name.to_owned(), matches, exclude, labels }))
}

fn condition(value: &Value, place: &str, depth: usize) -> Result<Condition, String> {
    if depth > DEPTH_MAX {
        return Err(format!("conditions stand more than {DEPTH_MAX} deep inside one another"));
    }
    let Value::Table(table) = value else {
        return Err(format!("{place} is {}, not a condition such as {{ domain = \"contoso.com\" }}", kind(value)));
    };
    known_keys(table, &[CONDITION.as_slice(), &TEST].concat(), place)?;
    let named: Vec<&str> = CONDITION.into_iter().filter(|key| table.contains_key(*key)).collect();
    let (key, value) = match named.as_slice() {
        [key] => (*key, &table[*key]),
        [] => return Err(format!("{place} asks for nothing; one of {} is needed", CONDITION.join(", "))),
        [first, second, ..] => {
            return Err(format!("{place} has both {first} and {second}; put them into all_of or any_of"));
        }
    };
    if key != "attribute"
        && let Some(test) = TEST.into_iter().find(|test| table.contains_key(*test))
    {
        return Err(format!("{place} has {test} beside {key}; only an attribute takes it"));
    }
    let inside = |nth: usize| format!("{place}.{key}[{nth}]");
    let all = || match value {
        Value::Array(all) if !all.is_empty() => {
            all.iter().enumerate().map(|(nth, inner)| condition(inner, &inside(nth), depth + 1)).collect()
        }
        Value::Array(_) => Err(format!("{place}.{key} is empty; it needs at least one condition")),
        other => Err(format!("{place}.{key} is {}, not a list of conditions", kind(other))),
    };
    Ok(match key {
        "any" if *value == Value::Boolean(true) => Condition::Any,
        "any" => return Err(format!("{place}.any can only be true; leave the rule out to mean nobody")),
        "group" => {
            let id = text(value, place, key)?;
            Condition::Group(id.parse().map_err(|_| {
                format!("{place}.group: {id:?} is no object id; Entra admin center > Groups > the group > Object ID")
            })?)
        }
        "domain" => Condition::Domain(domain(&text(value, place, key)?, place)?),
        "user_type" => Condition::UserType(Test::Equals(text(value, place, key)?)),
        "attribute" => attribute(table, &text(value, place, key)?, place)?,
        "not" => Condition::Not(Box::new(condition(value, &format!("{place}.not"), depth + 1)?)),
        "any_of" => Condition::AnyOf(all()?),
        _ => Condition::AllOf(all()?),
    })
}

fn attribute(table: &Table, name: &str, place: &str) -> Result<Condition, String> {
    let given: Vec<&str> = TEST.into_iter().filter(|test| table.contains_key(*test)).collect();
    let [test] = given.as_slice() else {
        return Err(format!("{place}: an attribute takes exactly one of {}", TEST.join(", ")));
    };
    let value = &table[*test];
    let made = match (*test, value) {
        ("in", Value::Array(values)) if !values.is_empty() => {
            Test::In(values.iter().map(|value| text(value, place, "in")).collect::<Result<_, _>>()?)
        }
        ("in", _) => return Err(format!("{place}.in is to be a list of at least one text")),
        ("equals", value) => Test::Equals(text(value, place, "equals")?),
        (_, value) => Test::Prefix(text(value, place, "prefix")?),
    };
    // An empty value is stored as none, so it would never be met.
    if made.texts().iter().any(String::is_empty) {
        return Err(format!("{place}.{test}: an empty text is met by nobody; not = {{ … }} asks for the opposite"));
    }
    // It belongs to the profile that is always read.
    if name.eq_ignore_ascii_case("userType") {
        return Ok(Condition::UserType(made));
    }
    match name.parse::<Attribute>() {
        Ok(attribute) => Ok(Condition::Attribute(attribute, made)),
        Err(error) => {
            let names: Vec<String> = Attribute::all().map(|attribute| attribute.to_string()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Err(format!("{place}: {error}{}", nearest(name, &names)))
        }
    }
}

fn domain(text: &str, place: &str) -> Result<String, String> {
    let domain = text.strip_prefix('@').unwrap_or(text);
    if domain.is_empty() || domain.contains(['@', '*']) || domain.contains(char::is_whitespace) {
        return Err(format!("{place}.domain: {text:?} is no domain; write it like contoso.com, each by itself"));
    }
    Ok(domain.to_owned())
}

/// A text, or what is written like one: attributes of yes and no are kept as texts.
fn text(value: &Value, place: &str, key: &str) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Boolean(yes) => Ok(yes.to_string()),
        Value::Integer(number) => Ok(number.to_string()),
        other => Err(format!("{place}.{key} is {}, not a text", kind(other))),
    }
}

fn known_keys(table: &Table, known: &[&str], place: &str) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let inside = if place.is_empty() { String::new() } else { format!(" in {place}") };
            Err(format!("unknown key {key:?}{inside}{}", nearest(key, known)))
        }
        None => Ok(()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mapping, String> {
        let table: Table = text.parse().unwrap();
        let tables: Vec<Table> = match &table["mapping"] {
            Value::Array(all) => all.iter().map(|table| table.as_table().unwrap().clone()).collect(),
            _ => panic!(),
        };
        parse(&tables)
    }

    #[test]
    fn every_kind_of_condition_is_read() {
        let mapping = read(
            r#"
            [[mapping]]
            name = "staff"
            match = { any_of = [
                { group = "6F1A3F5E-0000-4000-8000-0000000000aa" },
                { attribute = "Department", in = ["Sales", "HR"] },
                { all_of = [{ domain = "@Contoso.com" }, { not = { user_type = "Guest" } }] },
                { attribute = "accountEnabled", equals = true },
                { attribute = "userType", equals = "Member" },
                { attribute = "extensionAttribute7", prefix = "EU-" },
            ] }
            exclude = { any = true }
            labels = { profile = "gold", quota = 50 }
            "#,
        )
        .unwrap();
        let rule = &mapping.rules()[0];
        let Condition::AnyOf(all) = &rule.matches else { panic!() };
        assert_eq!(all[0], Condition::Group("6f1a3f5e-0000-4000-8000-0000000000aa".parse().unwrap()));
        let department = "department".parse().unwrap();
        assert_eq!(all[1], Condition::Attribute(department, Test::In(vec!["Sales".into(), "HR".into()])));
        assert_eq!(all[3], Condition::Attribute("accountEnabled".parse().unwrap(), Test::Equals("true".into())));
        assert_eq!(all[4], Condition::UserType(Test::Equals("Member".into())));
        assert_eq!(rule.exclude, Some(Condition::Any));
        assert_eq!(rule.labels["quota"], "50");
        assert_eq!(mapping.attributes().len(), 3);
        assert_eq!(parse(&tables_of(&mapping)), Ok(mapping), "what is shown is read back");
    }

    #[test]
    fn rules_with_a_priority_come_first_and_the_rest_as_they_stand() {
        let rule = |name: &str, priority: &str| {
            format!("[[mapping]]\nname = {name:?}\nmatch = {{ any = true }}\n{priority}\n")
        };
        let text = [
            rule("a", ""),
            rule("b", "priority = 20"),
            rule("c", "priority = -1"),
            rule("d", ""),
            rule("e", "priority = 20"),
        ];
        let mapping = read(&text.concat()).unwrap();
        let names: Vec<&str> = mapping.rules().iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["c", "b", "e", "a", "d"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_the_nearest_right_thing() {
        for (rule, said) in [
            ("match = { any = true }", "mapping rule 1 has no name"),
            ("name = 7\nmatch = { any = true }", "name is a number"),
            ("name = \"x\"", "rule \"x\": it has no match"),
            (
                "name = \"x\"\nmatch = { any = true }\nexcludes = {}",
                "unknown key \"excludes\"; did you mean \"exclude\"?",
            ),
            ("name = \"x\"\nmatch = { grop = \"g\" }", "unknown key \"grop\" in match; did you mean \"group\"?"),
            ("name = \"x\"\nmatch = { group = \"staff\" }", "\"staff\" is no object id"),
            ("name = \"x\"\nmatch = {}", "match asks for nothing"),
            ("name = \"x\"\nmatch = \"all\"", "match is a text, not a condition"),
            ("name = \"x\"\nmatch = { any = false }", "can only be true"),
            ("name = \"x\"\nmatch = { any = true, domain = \"x.test\" }", "both any and domain; put them into all_of"),
            ("name = \"x\"\nmatch = { domain = \"x.test\", equals = \"y\" }", "equals beside domain"),
            ("name = \"x\"\nmatch = { domain = \"*.test\" }", "is no domain"),
            ("name = \"x\"\nmatch = { attribute = \"department\" }", "exactly one of equals, in, prefix"),
            ("name = \"x\"\nmatch = { attribute = \"department\", equals = \"\" }", "met by nobody"),
            ("name = \"x\"\nmatch = { attribute = \"department\", in = [] }", "at least one text"),
            (
                "name = \"x\"\nmatch = { all_of = [{ any = true }, { attribute = \"departement\", equals = \"y\" }] }",
                "match.all_of[1]: \"departement\" is no attribute that a rule can look at; did you mean \"department\"?",
            ),
            ("name = \"x\"\nmatch = { any_of = [] }", "match.any_of is empty"),
            ("name = \"x\"\nmatch = { not = { nott = 1 } }", "unknown key \"nott\" in match.not"),
            ("name = \"x\"\nmatch = { any = true }\nlabels = { a = [1] }", "labels.a is a list"),
            ("name = \"x\"\nmatch = { any = true }\npriority = \"high\"", "priority is a text"),
            ("name = \"\"\nmatch = { any = true }", "rule 1 has no name"),
        ] {
            let why = read(&format!("[[mapping]]\n{rule}")).unwrap_err();
            assert!(why.contains(said), "{rule}\n{why}");
        }
        let twice = "[[mapping]]\nname = \"Staff\"\nmatch = { any = true }\n[[mapping]]\nname = \"staff\"\nmatch = { any = true }";
        assert!(read(twice).unwrap_err().contains("two rules are called \"staff\""));
    }

    #[test]
    fn conditions_without_end_are_refused_before_they_are_followed() {
        let deep = format!("{}{{ any = true }}{}", "{ not = ".repeat(30), " }".repeat(30));
        let why = read(&format!("[[mapping]]\nname = \"x\"\nmatch = {deep}")).unwrap_err();
        assert!(why.contains("more than 16 deep"), "{why}");
    }
}
