//! One run of the program: the socket, the writers, and how to say things on them.

use super::args::Global;
use super::error::CtlError;
use super::render::{self, Marks, Page, Span, Tone, View};
use super::values::Color;
use super::{Environment, Io, exit};
use crate::api::client::{Client, ClientError};
use crate::api::wire::{RefusalBody, Refused};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::path::PathBuf;

/// What a command does ends in an exit code or in an error.
pub(super) type Done = Result<u8, CtlError>;

pub(super) struct Session<'a, 'b> {
    pub client: Client,
    pub io: &'a mut Io<'b>,
    pub global: Global,
    pub directory: PathBuf,
    /// JSON goes out a line at a time.
    pub by_line: bool,
    /// Whether Ctrl-C ends only the waiting.
    pub interrupts: bool,
    no_color: bool,
    marks: Marks,
    zone: TimeZone,
}

impl<'a, 'b> Session<'a, 'b> {
    pub(super) fn new(
        client: Client,
        global: Global,
        io: &'a mut Io<'b>,
        environment: &Environment,
    ) -> Self {
        let marks = if environment.unicode { Marks::Unicode } else { Marks::Ascii };
        let (no_color, directory) = (environment.no_color, environment.directory.clone());
        let zone = environment.zone.clone().filter(|_| !global.utc).unwrap_or(TimeZone::UTC);
        Self {
            client,
            io,
            global,
            directory,
            by_line: false,
            interrupts: environment.interrupts,
            no_color,
            marks,
            zone,
        }
    }

    pub(super) fn view(&self) -> View {
        let (width, marks, zone) = (self.io.width, self.marks, self.zone.clone());
        View { width, marks, now: (self.io.now)(), zone }
    }

    /// Whether standard output is coloured.
    pub(super) fn colour(&self) -> bool {
        coloured(self.global.color, self.io.terminals.stdout, self.no_color)
    }

    /// What was asked for.
    pub(super) fn print(&mut self, page: &Page) -> Result<(), CtlError> {
        let colour = self.colour();
        self.io.stdout.write_all(page.print(colour).as_bytes())?;
        self.io.stdout.flush()?;
        Ok(())
    }

    /// Beside what was asked for: notes, questions, troubles.
    pub(super) fn note(&mut self, page: &Page) -> Result<(), CtlError> {
        let colour = coloured(self.global.color, self.io.terminals.stderr, self.no_color);
        self.io.stderr.write_all(page.print(colour).as_bytes())?;
        self.io.stderr.flush()?;
        Ok(())
    }

    /// A sentence on success.
    pub(super) fn say(&mut self, sentence: &str) -> Result<(), CtlError> {
        if self.global.quiet {
            return Ok(());
        }
        let mut page = self.view().page();
        page.prose(0, &Span::plain(sentence));
        self.print(&page)
    }

    /// A sentence that belongs to what was just said.
    pub(super) fn remark(&mut self, sentence: &str) -> Result<(), CtlError> {
        if self.global.quiet {
            return Ok(());
        }
        let mut page = self.view().page();
        page.prose(2, &Span::plain(sentence));
        self.print(&page)
    }

    /// The wire answer, indented.
    pub(super) fn json(&mut self, answer: &impl Serialize) -> Done {
        let text = match self.by_line {
            true => serde_json::to_string(answer)?,
            false => serde_json::to_string_pretty(answer)?,
        };
        writeln!(self.io.stdout, "{text}")?;
        self.io.stdout.flush()?;
        Ok(exit::OK)
    }

    /// As JSON if that is wished, else as the page.
    pub(super) fn show(
        &mut self,
        answer: &impl Serialize,
        page: impl FnOnce(&View) -> Page,
    ) -> Done {
        if self.global.json {
            return self.json(answer);
        }
        let page = page(&self.view());
        self.print(&page)?;
        Ok(exit::OK)
    }

    /// Tells what went wrong; to programs that asked for JSON also as heptad said it.
    pub(super) fn complain(&mut self, error: &CtlError) -> Result<(), CtlError> {
        if matches!(error, CtlError::OperationFailed { .. }) {
            return Ok(());
        }
        let mut page = self.view().page();
        let socket = self.client.socket().to_owned();
        let (sentence, hints) = (error.sentence(&socket), error.hints(&socket));
        match error {
            CtlError::Client(ClientError::Refused { refusal, .. }) => {
                if self.global.json {
                    self.json(&Refused { error: refusal.clone() })?;
                }
                render::findings(&refusal.findings, &mut page);
                page.gap();
            }
            // Each was told by itself.
            CtlError::Partly => {}
            _ if self.global.json => {
                let refused = refused(error.code(), &sentence, &hints.join("; "));
                self.json(&refused)?;
            }
            _ => {}
        }
        complaint(&sentence, &hints, &mut page);
        self.note(&page)
    }
}

/// What went wrong here, in the shape of heptad's refusals.
pub(super) fn refused(code: &str, message: &str, hint: &str) -> Refused {
    let (code, message, hint) = (code.into(), message.into(), hint.into());
    Refused { error: RefusalBody { code, message, hint, findings: Vec::new() } }
}

pub(super) fn complaint(sentence: &str, hints: &[String], page: &mut Page) {
    page.prose(0, &Span::new(Tone::Bad, format!("heptactl: {sentence}")));
    for hint in hints {
        page.prose(2, &Span::plain(hint));
    }
}

pub(super) fn coloured(wish: Color, terminal: bool, no_color: bool) -> bool {
    match wish {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !no_color,
    }
}
