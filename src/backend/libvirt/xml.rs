//! A domain's definition as a tree: read, edited, written back.
//!
//! Parsing and escaping are quick-xml's. The tree keeps qualified names as they stand, so that
//! what other programs put into a definition (prefixed attributes in `<metadata>`, which tree
//! crates drop or rename) comes back as it was.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer, XmlVersion};

/// Elements inside elements. libvirt's own definitions have fewer than ten levels.
const DEPTH: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// With its prefix, if it has one.
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

/// A text that is no definition.
#[derive(Debug, thiserror::Error)]
#[error("it is not well-formed XML: {0}")]
pub(super) struct XmlError(String);

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With an attribute.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// With a child.
    pub(super) fn holding(mut self, child: Element) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.unset(name);
        self.attributes.push((name.into(), value.into()));
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.attributes.retain(|(key, _)| key != name);
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub(super) fn elements_mut(&mut self) -> impl Iterator<Item = &mut Element> {
        self.children.iter_mut().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.name == name)
    }

    pub(super) fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.elements_mut().find(|element| element.name == name)
    }

    /// The first child of this name, made where there is none.
    pub(super) fn child_or_new(&mut self, name: &str) -> &mut Element {
        let at = self
            .children
            .iter()
            .position(|child| matches!(child, Node::Element(element) if element.name == name));
        let at = at.unwrap_or_else(|| {
            self.children.push(Node::Element(Element::new(name)));
            self.children.len() - 1
        });
        match &mut self.children[at] {
            Node::Element(element) => element,
            Node::Text(_) => unreachable!("the position is an element's"),
        }
    }

    /// Removes every child element that is `unwanted`.
    pub(super) fn drop_children(&mut self, unwanted: impl Fn(&Element) -> bool) {
        self.children.retain(|child| !matches!(child, Node::Element(element) if unwanted(element)));
    }

    /// Whether it says all that `other` says, and perhaps more.
    pub(super) fn has_all_of(&self, other: &Element) -> bool {
        let same = |(name, value): &(String, String)| self.get(name) == Some(value);
        let text = other.text();
        let mut mine = self.elements().collect::<Vec<_>>();
        self.name == other.name
            && other.attributes.iter().all(same)
            && (text.is_empty() || text == self.text())
            && other.elements().all(|theirs| {
                let at = mine.iter().position(|mine| mine.has_all_of(theirs));
                at.map(|at| mine.remove(at)).is_some()
            })
    }

    pub(super) fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|child| match child {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect::<String>().trim().to_owned()
    }

    pub(super) fn set_text(&mut self, text: impl Into<String>) {
        self.children = vec![Node::Text(text.into())];
    }

    /// # Errors
    /// Anything but one element with all that belongs to it. A document type is refused: no
    /// definition has one, and its entities could stand for anything.
    pub(super) fn parse(text: &str) -> Result<Self, XmlError> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Element> = vec![Element::default()];
        loop {
            let event = reader.read_event().map_err(|error| XmlError(error.to_string()))?;
            let depth = open.len();
            let Some(top) = open.last_mut() else { break };
            match event {
                Event::Start(start) if depth <= DEPTH => open.push(element(&start)?),
                Event::Start(_) => return Err(XmlError("it is nested too deeply".into())),
                Event::Empty(start) => top.children.push(Node::Element(element(&start)?)),
                Event::End(_) => {
                    let done = open.pop().map(Node::Element);
                    if let (Some(above), Some(done)) = (open.last_mut(), done) {
                        above.children.push(done);
                    }
                }
                Event::Text(text) => top.add(&text.xml10_content()),
                Event::CData(text) => top.add(&text.xml10_content()),
                Event::GeneralRef(reference) => top.add(&resolve(&reference)?),
                Event::DocType(_) => return Err(XmlError("it has a document type".into())),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        let mut roots = match (open.pop(), open.is_empty()) {
            (Some(document), true) => document.children.into_iter(),
            _ => return Err(XmlError("it ends too early".into())),
        };
        let root = roots.find_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        });
        root.ok_or_else(|| XmlError("there is nothing in it".into()))
    }

    fn add(&mut self, text: &str) {
        match self.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.children.push(Node::Text(text.into())),
        }
    }

    /// Indented; ends with a line end.
    pub(super) fn print(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        // Writing into memory does not fail.
        let _ = self.write(&mut writer);
        let mut text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
        text.push('\n');
        text
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name.as_str());
        for (name, value) in &self.attributes {
            start.push_attribute((name.as_str(), value.as_str()));
        }
        let is_empty = |child: &Node| matches!(child, Node::Text(text) if text.trim().is_empty());
        let mixed = self.children.iter().all(|child| matches!(child, Node::Text(_)));
        let children: Vec<&Node> =
            self.children.iter().filter(|child| mixed || !is_empty(child)).collect();
        if children.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        for child in children {
            match child {
                Node::Element(element) => element.write(writer)?,
                Node::Text(text) => writer.write_event(Event::Text(BytesText::new(text)))?,
            }
        }
        writer.write_event(Event::End(BytesEnd::new(self.name.as_str())))
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let wrong = |error: &dyn std::fmt::Display| XmlError(error.to_string());
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| wrong(&error))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| wrong(&error))?.into_owned();
        element.attributes.push((attribute.key.as_ref().to_owned(), value));
    }
    Ok(element)
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, XmlError> {
    let unknown = || XmlError(format!("&{}; stands for nothing", reference.xml10_content()));
    match reference.resolve_char_ref() {
        Ok(Some(letter)) => Ok(letter.into()),
        Ok(None) => {
            let name = reference.xml10_content();
            resolve_predefined_entity(&name).map(str::to_owned).ok_or_else(unknown)
        }
        Err(_) => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_comes_back_as_it_was() {
        let text = "<domain type=\"kvm\" xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\">\n\
                    \x20 <name>a&amp;b &#60;c&gt;</name>\n\
                    \x20 <metadata>\n\
                    \x20   <x:os xmlns:x=\"urn:x\" x:id=\"1 &quot;2&quot;\"/>\n\
                    \x20 </metadata>\n\
                    \x20 <qemu:commandline>\n\
                    \x20   <qemu:arg value=\"-foo\"/>\n\
                    \x20 </qemu:commandline>\n\
                    </domain>\n";
        let tree = Element::parse(text).unwrap();
        assert_eq!(tree.child("name").unwrap().text(), "a&b <c>");
        let os = tree.child("metadata").unwrap().child("x:os").unwrap();
        assert_eq!(os.get("x:id"), Some("1 \"2\""));
        assert_eq!(tree.print(), text.replace("&#60;", "&lt;"));
        assert_eq!(Element::parse(&tree.print()).unwrap(), {
            let mut again = tree.clone();
            again.children = Element::parse(&tree.print()).unwrap().children;
            again
        });
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        let check = |text: &str| assert!(Element::parse(text).is_err(), "{text}");
        for text in ["", "text", "<a>", "<a></b>", "<a b=c/>", "<a>&no;</a>", "<a b='&no;'/>"] {
            check(text);
        }
        check("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>");
        check(&"<a>".repeat(100_000));
        assert_eq!(Element::parse("<?xml version='1.0'?><!-- c --><a/>").unwrap().name, "a");
    }

    #[test]
    fn what_was_added_is_told_from_what_was_changed_or_taken_away() {
        let check = |now: &str, want: bool| {
            let then = Element::parse("<a x='1'><b>t</b><c/><c y='2'/></a>").unwrap();
            assert_eq!(Element::parse(now).unwrap().has_all_of(&then), want, "{now}");
        };
        check("<a x='1'><b>t</b><c/><c y='2'/></a>", true);
        check("<a x='1' z='3'><c z='1'/><c y='2'/><new/><b>t</b></a>", true);
        check("<a x='2'><b>t</b><c/><c y='2'/></a>", false);
        check("<a x='1'><b>u</b><c/><c y='2'/></a>", false);
        check("<a x='1'><b>t</b><c y='2'/></a>", false);
        check("<a x='1'><b>t</b><c/><c y='3'/></a>", false);
    }

    #[test]
    fn edits_find_what_they_name() {
        let mut tree = Element::parse("<a><b x='1'/>t<b x='2'/></a>").unwrap();
        tree.child_mut("b").unwrap().set("x", "3");
        tree.child_or_new("c").set_text("new");
        tree.drop_children(|element| element.get("x") == Some("2"));
        assert_eq!(tree.child("b").unwrap().get("x"), Some("3"));
        assert_eq!(tree.elements().count(), 2);
        assert_eq!(tree.text(), "t");
    }
}
