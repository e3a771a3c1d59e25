//! The text in which LVM describes a group of volumes: `name = value` and `name { … }`.

/// Sections in sections: groups, volumes, segments.
const DEEPEST: u8 = 8;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Section(Section),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Section(Vec<(String, Value)>);

impl Section {
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        if let Some(Value::Number(number)) = self.value(name) { Some(*number) } else { None }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        if let Some(Value::Text(text)) = self.value(name) { Some(text) } else { None }
    }

    pub(super) fn list(&self, name: &str) -> &[Value] {
        if let Some(Value::List(list)) = self.value(name) { list } else { &[] }
    }

    pub(super) fn section(&self, name: &str) -> Option<&Self> {
        if let Some(Value::Section(section)) = self.value(name) { Some(section) } else { None }
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((name.as_str(), section)),
            _ => None,
        })
    }
}

/// Nothing for what is no such text.
pub(super) fn parse(text: &str) -> Option<Section> {
    let mut rest = Rest(text);
    let section = rest.section(0)?;
    rest.0.is_empty().then_some(section)
}

struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// The next character that means something.
    fn peek(&mut self) -> Option<char> {
        loop {
            self.0 = self.0.trim_start();
            let Some(comment) = self.0.strip_prefix('#') else { return self.0.chars().next() };
            self.0 = comment.find('\n').map_or("", |end| &comment[end..]);
        }
    }

    fn take(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(sign);
        if found {
            self.0 = &self.0[sign.len_utf8()..];
        }
        found
    }

    fn word(&mut self) -> Option<&'a str> {
        self.peek()?;
        let part = |sign: char| sign.is_ascii_alphanumeric() || "+_.-".contains(sign);
        let end = self.0.find(|sign| !part(sign)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Up to its end, or the text's.
    fn section(&mut self, depth: u8) -> Option<Section> {
        let mut found = Section::default();
        while self.peek().is_some_and(|sign| sign != '}') {
            let name = self.word()?.to_owned();
            let value = if self.take('=') {
                self.plain(depth)?
            } else if self.take('{') && depth < DEEPEST {
                let section = self.section(depth + 1)?;
                if !self.take('}') {
                    return None;
                }
                Value::Section(section)
            } else {
                return None;
            };
            found.0.push((name, value));
        }
        Some(found)
    }

    fn plain(&mut self, depth: u8) -> Option<Value> {
        match self.peek()? {
            '"' => self.quoted().map(Value::Text),
            '[' if depth < DEEPEST => {
                self.take('[');
                let mut list = Vec::new();
                while !self.take(']') {
                    list.push(self.plain(depth + 1)?);
                    self.take(',');
                }
                Some(Value::List(list))
            }
            _ => self.word()?.parse().ok().map(Value::Number),
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut signs = self.0.char_indices().skip(1);
        while let Some((at, sign)) = signs.next() {
            match sign {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(text);
                }
                '\\' => text.push(signs.next()?.1),
                sign => text.push(sign),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_and_what_is_none_is_not() {
        let text = "vg {\n id = \"a-\\\"b\\\"\" # why\n size = 8192\n flags = []\n\
            pv0 { stripes = [ \"pv0\", 15 ] }\n}\n# end\n";
        let found = parse(text).unwrap();
        let group = found.section("vg").unwrap();
        assert_eq!(group.text("id"), Some("a-\"b\""));
        assert_eq!(group.number("size"), Some(8_192));
        assert_eq!(group.list("flags"), []);
        let stripes = [Value::Text("pv0".into()), Value::Number(15)];
        assert_eq!(group.section("pv0").unwrap().list("stripes"), stripes);
        assert_eq!(found.sections().count(), 1);
        let deep = "a {".repeat(50) + &"}".repeat(50);
        for bad in ["a", "a =", "a = \"b", "a {", "}", "a = [ 1", "= 1", "a = -", deep.as_str()] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
