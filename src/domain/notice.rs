//! What the program says to a person outside of the map.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// One plain sentence, details folded away, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub level: Level,
    /// What happened or failed, one sentence.
    pub text: String,
    /// For those who ask; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// What the person can do next; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next_step: String,
}

impl Notice {
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), details: String::new(), next_step: String::new() }
    }

    pub fn info(text: impl Into<String>) -> Self {
        Self::new(Level::Info, text)
    }

    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Level::Warning, text)
    }

    pub fn error(text: impl Into<String>) -> Self {
        Self::new(Level::Error, text)
    }

    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    #[must_use]
    pub fn next_step(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = next_step.into();
        self
    }
}
