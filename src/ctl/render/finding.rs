//! What was found in the configuration.

use super::View;
use super::page::{Page, Span, Tone};
use crate::api::wire::{Check, Finding, Reloaded};

pub fn check(check: &Check, view: &View) -> Page {
    let mut page = view.page();
    findings(&check.findings, &mut page);
    page.gap();
    let count = check.findings.iter().filter(|found| !found.remark).count();
    let problems = if count == 1 { "problem" } else { "problems" };
    let verdict = match (check.loadable, count, check.findings.len()) {
        (true, 0, 0) => "the configuration is in order".into(),
        (true, 0, _) => "the configuration is in order; the remarks are good to know".into(),
        (true, ..) => format!("the configuration can be loaded, but {count} {problems} found"),
        (false, ..) => "the configuration cannot be loaded; the one in force stays".to_owned(),
    };
    let tone = if check.loadable && count == 0 { Tone::Plain } else { Tone::Bad };
    page.prose(0, &Span::new(tone, verdict));
    page
}

pub fn reloaded(reloaded: &Reloaded, view: &View) -> Page {
    let mut page = view.page();
    findings(&reloaded.findings, &mut page);
    page.gap();
    let changes = [
        ("added", &reloaded.added),
        ("changed", &reloaded.changed),
        ("removed", &reloaded.removed),
    ];
    let mut same = true;
    for (verb, names) in changes {
        if !names.is_empty() {
            page.field(verb, &Span::plain(names.join(", ")));
            same = false;
        }
    }
    let verdict = if same { "reloaded; nothing changed" } else { "reloaded" };
    page.prose(0, &Span::plain(verdict));
    page
}

/// Each as `FILE:LINE: KEY: MESSAGE`, its way out below.
pub fn findings(findings: &[Finding], page: &mut Page) {
    for finding in findings {
        let mut place = if finding.remark { "remark: ".to_owned() } else { String::new() };
        if let Some(file) = &finding.file {
            place.push_str(file);
            if let Some(line) = finding.line {
                place.push_str(&format!(":{line}"));
            }
            place.push_str(": ");
        }
        if let Some(key) = &finding.key {
            place.push_str(&format!("{key}: "));
        }
        page.prose(0, &Span::plain(format!("{place}{}", finding.message)));
        if let Some(hint) = finding.hint.as_ref().filter(|hint| !hint.is_empty()) {
            page.prose(2, &Span::plain(hint));
        }
    }
}
