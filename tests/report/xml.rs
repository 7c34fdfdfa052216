//! A small judge of well-formedness: tags are closed in order, attributes quoted, `&` and `<` only where they may be.

/// A tag and its attributes.
pub type Tag = (String, Vec<(String, String)>);

/// The tags of a document with their attributes, in order; the first mistake is an error.
pub fn tags(text: &str) -> Result<Vec<Tag>, String> {
    let mut rest = text.strip_prefix("<!DOCTYPE html>").unwrap_or(text);
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    while let Some(place) = rest.find('<') {
        content(&rest[..place])?;
        let tail = &rest[place + 1..];
        let mut quoted = false;
        let end = tail.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let end = end.ok_or_else(|| format!("a tag does not end: {}", near(tail)))?;
        let (tag, after) = (&tail[..end], &tail[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let (tag, is_closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("no tag: <{}", near(tag)));
        }
        tags.push((name.to_owned(), self::attributes(attributes)?));
        if !is_closed {
            open.push(name.to_owned());
        }
        if name == "style" {
            let end = rest.find("</style>").ok_or("a style does not end")?;
            if rest[..end].contains(['<', '&']) {
                return Err("a style holds markup".to_owned());
            }
        }
    }
    content(rest)?;
    if open.is_empty() { Ok(tags) } else { Err(format!("left open: {open:?}")) }
}

fn attributes(text: &str) -> Result<Vec<(String, String)>, String> {
    let (mut rest, mut found) = (text.trim(), Vec::<(String, String)>::new());
    while !rest.is_empty() {
        let (name, tail) = rest.split_once("=\"").ok_or_else(|| format!("no attribute: {}", near(rest)))?;
        let (value, tail) = tail.split_once('"').ok_or_else(|| format!("no end: {}", near(tail)))?;
        content(value)?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || found.iter().any(|(other, _)| other == name)
        {
            return Err(format!("no attribute, or twice: {name}"));
        }
        found.push((name.to_owned(), value.to_owned()));
        rest = tail.trim_start();
    }
    Ok(found)
}

fn content(text: &str) -> Result<(), String> {
    if let Some(bad) =
        text.chars().find(|c| c.is_control() && !"\n\r\t".contains(*c) || "<\u{fffe}\u{ffff}".contains(*c))
    {
        return Err(format!("{bad:?} is not allowed in {}", near(text)));
    }
    for (place, _) in text.match_indices('&') {
        let entity = text[place + 1..].split(';').next().unwrap();
        if !matches!(entity, "amp" | "lt" | "gt" | "quot")
            && entity.strip_prefix('#').is_none_or(|n| n.parse::<u32>().is_err())
        {
            return Err(format!("no entity: {}", near(&text[place..])));
        }
    }
    Ok(())
}

fn near(text: &str) -> String {
    text.chars().take(60).collect()
}

#[test]
fn mistakes_are_found() {
    for good in ["<a><b c=\"d&amp;&#60;\"/>x</a>", "<!DOCTYPE html>\n<p>é</p>"] {
        assert!(tags(good).is_ok(), "{good}");
    }
    for bad in [
        "<a>",
        "<a></b>",
        "<a b=c/>",
        "<a b=\"1\" b=\"2\"/>",
        "x & y",
        "<a>\u{1}</a>",
        "<a b=\"<\"/>",
        "a &nbsp; b",
        "</a>",
    ] {
        assert!(tags(bad).is_err(), "{bad}");
    }
}
